/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocator between the library and libc, by the linker's --wrap. Counts, and fails on demand.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/torture/torture.h"

/* The names are the linker's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);
FILE *__real_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size);
int __wrap_asprintf(char **out, const char *format, ...);
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...);
void *__wrap_wring__sim_memory(void *block, size_t size);

static _Atomic int64_t live;
static _Atomic uint64_t count;
static _Atomic uint64_t fail_at = UINT64_MAX;
static bool fail_all;
static bool struck;

void torture_arm(uint64_t number, bool all) {
    struck = false;
    fail_all = all;
    atomic_store(&fail_at, atomic_load(&count) + number);
}

bool torture_disarm(void) {
    atomic_store(&fail_at, UINT64_MAX);
    return struck;
}

bool torture_struck(void) {
    return struck;
}

bool torture_fails_all(void) {
    return fail_all;
}

int64_t torture_live(void) {
    return atomic_load(&live);
}

uint64_t torture_count(void) {
    return atomic_load(&count);
}

static bool strikes(void) {
    const uint64_t number = atomic_fetch_add(&count, 1);
    const uint64_t at = atomic_load(&fail_at);
    if (number == at || (fail_all && number > at)) {
        struck = true;
        errno = ENOMEM;
        return true;
    }
    return false;
}

static void *counted(void *block) {
    CHECK(block != NULL); /* memory is really out: no test */
    atomic_fetch_add(&live, 1);
    return block;
}

void *__wrap_malloc(size_t size) {
    return strikes() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size) {
    return strikes() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return strikes() ? NULL : counted(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *block, size_t size) {
    if (strikes()) {
        return NULL; /* the old block stays */
    }
    return block == NULL ? counted(__real_malloc(size)) : __real_realloc(block, size);
}

void __wrap_free(void *block) {
    if (block != NULL) {
        atomic_fetch_sub(&live, 1);
    }
    __real_free(block);
}

char *__wrap_strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

char *__wrap_strndup(const char *text, size_t max) {
    const size_t len = strnlen(text, max);
    char *copy = __wrap_malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = 0;
    }
    return copy;
}

/* The text it makes is the caller's to free. */
FILE *__wrap_open_memstream(char **text, size_t *size) {
    return strikes() ? NULL : counted(__real_open_memstream(text, size));
}

static int print(char **out, const char *format, va_list list) {
    if (strikes()) {
        *out = NULL;
        return -1;
    }
    const int len = vasprintf(out, format, list);
    if (len >= 0) {
        (void)counted(*out);
    }
    return len;
}

int __wrap_asprintf(char **out, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const int len = print(out, format, list);
    va_end(list);
    return len;
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...) {
    (void)flag;
    va_list list;
    va_start(list, format);
    const int len = print(out, format, list);
    va_end(list);
    return len;
}

/* The simulator is no part of what is tested: its memory never fails and is not counted. */
void *__wrap_wring__sim_memory(void *block, size_t size) {
    if (size == 0) {
        __real_free(block);
        return NULL;
    }
    return __real_realloc(block, size);
}
