/* SPDX-License-Identifier: Apache-2.0
 *
 * What every file of the library may use without thinking: assertions, branch hints, small
 * arithmetic, big-endian loads. Nothing here allocates, locks or calls the system.
 */
#ifndef WRING_CORE_BASE_H
#define WRING_CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wring/bytes.h"
#include "wring/result.h"

#define WRING_LIKELY(x)                     __builtin_expect(!!(x), 1)
#define WRING_UNLIKELY(x)                   __builtin_expect(!!(x), 0)
#define WRING_ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define WRING_CACHE_LINE                    64
#define WRING_CACHE_ALIGNED                 __attribute__((aligned(WRING_CACHE_LINE)))
#define WRING_CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Release builds zero every local. Not those with this: they are large, and written before they are
 * read. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define WRING_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef WRING_UNINITIALIZED
#define WRING_UNINITIALIZED
#endif

/* In a loop that waits for another CPU. */
static inline void wring__cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/** Reports file, line and function, then aborts. Used through the macros below. */
_Noreturn void wring__panic(const char *what, const char *file, int line, const char *function);

/* Cheap invariants: on in every build. Never on what a peer, the user or the kernel sent. */
#define WRING_ASSERT(x)                                                                            \
    (WRING_LIKELY(x) ? (void)0                                                                     \
                     : wring__panic("assertion failed: " #x, __FILE__, __LINE__, __func__))
#define WRING_UNREACHABLE() wring__panic("unreachable", __FILE__, __LINE__, __func__)

/* Invariants that cost something per byte or per message: debug, sanitizer and fuzz builds. */
#ifdef WRING_DEBUG
#define WRING_DEBUG_ASSERT(x) WRING_ASSERT(x)
#else
#define WRING_DEBUG_ASSERT(x) ((void)0)
#endif

/* Poisoning: memory lent to the kernel or resting in a pool must not be touched. */
#if defined(__SANITIZE_ADDRESS__)
#define WRING_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WRING_ASAN 1
#endif
#endif
#ifdef WRING_ASAN
void __asan_poison_memory_region(void const volatile *addr, size_t size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#define WRING_POISON(p, n)   __asan_poison_memory_region((p), (n))
#define WRING_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define WRING_POISON(p, n)   ((void)(p), (void)(n))
#define WRING_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/** Monotonic time in ns since some start; a duration in ns. */
typedef uint64_t wring_time_ns;
typedef uint64_t wring_duration_ns;
#define WRING_TIME_NEVER UINT64_MAX
#define WRING_NS_PER_MS  UINT64_C(1000000)
#define WRING_NS_PER_SEC UINT64_C(1000000000)

static inline size_t wring__min_size(size_t a, size_t b) {
    return a < b ? a : b;
}
static inline uint64_t wring__min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint16_t wring__load_be16(const uint8_t *p) {
    return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint64_t wring__load_be64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline void wring__store_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void wring__store_be64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

#endif
