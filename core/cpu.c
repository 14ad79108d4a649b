/* SPDX-License-Identifier: Apache-2.0
 *
 * CPU features from the CPU itself: CPUID and XGETBV on x86-64; on aarch64 NEON is part of the
 * base architecture, so there is nothing to ask. No system call, no file, no environment.
 */
#include "core/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdbool.h>

/* XCR0: which register files the system saves at a context switch. Without this check an AVX
 * kernel would die of SIGILL on a CPU whose AVX the system or the hypervisor keeps off. */
#define XCR0_SSE    (1u << 1)
#define XCR0_AVX    (1u << 2)
#define XCR0_AVX512 (7u << 5) /* mask registers, upper halves of zmm0-15, zmm16-31 */

static uint32_t xcr0_low(void) {
    uint32_t eax, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

static uint32_t bit_if(uint32_t word, uint32_t mask, enum wring__cpu_feature feature) {
    return (word & mask) != 0 ? (uint32_t)feature : 0;
}

uint32_t wring__cpu_features(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        return 0;
    }
    uint32_t features = bit_if(ecx, bit_SSSE3, WRING__CPU_SSSE3);
    features |= bit_if(ecx, bit_SSE4_1, WRING__CPU_SSE41);
    const uint32_t saved = (ecx & bit_OSXSAVE) != 0 ? xcr0_low() : 0;
    const bool ymm_saved = (saved & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
    const bool zmm_saved = ymm_saved && (saved & XCR0_AVX512) == XCR0_AVX512;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        return features;
    }
    features |= bit_if(ebx, bit_BMI, WRING__CPU_BMI1);
    features |= bit_if(ebx, bit_BMI2, WRING__CPU_BMI2);
    if (ymm_saved) {
        features |= bit_if(ebx, bit_AVX2, WRING__CPU_AVX2);
    }
    if (zmm_saved) {
        features |= bit_if(ebx, bit_AVX512F, WRING__CPU_AVX512F);
        features |= bit_if(ebx, bit_AVX512BW, WRING__CPU_AVX512BW);
        features |= bit_if(ebx, bit_AVX512VL, WRING__CPU_AVX512VL);
        features |= bit_if(ecx, bit_AVX512VBMI, WRING__CPU_AVX512VBMI);
    }
    return features;
}

#elif defined(__aarch64__)

uint32_t wring__cpu_features(void) {
    return WRING__CPU_NEON;
}

#else
#error "wring runs on x86-64 and aarch64"
#endif
