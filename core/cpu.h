/* SPDX-License-Identifier: Apache-2.0
 *
 * Which instruction sets this CPU has and the operating system lets us use. One question, asked
 * once at start by whoever chooses between implementations (proto/kernels.c).
 */
#ifndef WRING_CORE_CPU_H
#define WRING_CORE_CPU_H

#include <stdint.h>

/** One bit an instruction set. A bit is set only when its registers are saved by the system too. */
enum wring__cpu_feature {
    WRING__CPU_SSSE3 = 1u << 0,
    WRING__CPU_SSE41 = 1u << 1,
    WRING__CPU_AVX2 = 1u << 2,
    WRING__CPU_BMI1 = 1u << 3,
    WRING__CPU_BMI2 = 1u << 4,
    WRING__CPU_AVX512F = 1u << 5,
    WRING__CPU_AVX512BW = 1u << 6,
    WRING__CPU_AVX512VL = 1u << 7,
    WRING__CPU_AVX512VBMI = 1u << 8,
    WRING__CPU_NEON = 1u << 9
};

/** The set of enum wring__cpu_feature bits of this CPU.
 *  Thread: any. Cost: a few CPUID instructions, each of which a hypervisor traps (about a
 *  microsecond): keep the answer. No system call. */
uint32_t wring__cpu_features(void);

#endif
