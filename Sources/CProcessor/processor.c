#include "processor.h"

#include <stdlib.h>

static int highest_supported(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return 4;
    if (__builtin_cpu_supports("x86-64-v3")) return 3;
#endif
    return 1;
}

int qsm_processor_level(void) {
    const int supported = highest_supported();
    const char *wanted = getenv("QSMFLOW_INSTRUCTION_SET");
    if (wanted == NULL || *wanted == '\0') return supported;
    const int level = atoi(wanted);
    if (level < 3) return 1;
    return level < supported ? (level == 3 ? 3 : 4) : supported;
}
