#ifndef QSMFLOW_PROCESSOR_H
#define QSMFLOW_PROCESSOR_H

/// Instruction set level to run at: 1 baseline, 3 x86-64-v3 (AVX2, FMA), 4 x86-64-v4 (AVX-512).
///
/// The highest level of this processor, or a lower one when the environment variable QSMFLOW_INSTRUCTION_SET asks for
/// it (1, 3 or 4): levels round differently in the last bit, so workers of different age that must produce the same
/// bytes are all set to the lowest of them.
int qsm_processor_level(void);

#endif
