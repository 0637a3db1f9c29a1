#ifndef QSMFLOW_PROCESSOR_H
#define QSMFLOW_PROCESSOR_H

/// Instruction set level of this processor: 1 baseline, 3 x86-64-v3 (AVX2, FMA), 4 x86-64-v4 (AVX-512).
int qsm_processor_level(void);

#endif
