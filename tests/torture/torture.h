/* SPDX-License-Identifier: Apache-2.0
 *
 * Fails the i-th allocation, for all i: nothing may crash or leak, and who is told is told the
 * right error. The library's calls of malloc and its like are wrapped by the linker (shim.c); what
 * other libraries allocate inside is theirs.
 */
#ifndef WRING_TORTURE_H
#define WRING_TORTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "wring/wring.h"

#define CHECK(x) ((x) ? (void)0 : torture_fail(#x, __FILE__, __LINE__))
_Noreturn void torture_fail(const char *what, const char *file, int line);

/* From now on allocation number `number` (from 0) fails; with `all`, those behind it too. */
void torture_arm(uint64_t number, bool all);
/* No more failures. True when one happened. */
bool torture_disarm(void);
/* Allocations meanwhile are not the ones that fail, nor counted: the test's own. */
void torture_spare(bool on);
/* One has failed since torture_arm. */
bool torture_struck(void);
/* Those behind it fail as well. */
bool torture_fails_all(void);
/* Blocks that were allocated and not freed. */
int64_t torture_live(void);
/* Every allocation so far, failed ones too. */
uint64_t torture_count(void);

/* A case does some work from nothing to nothing. WRING_OK: all of it was done. Anything else is
 * what the first one who was told was told. */
typedef struct torture_case {
    const char *name;
    wring_result (*run)(void);
    /* The work can be done all the same without some allocations: buckets that do not grow. */
    bool tolerates;
} torture_case;

/* What the program runs; the last one is NULL. */
extern const torture_case *const torture_lists[];

extern const torture_case torture_machine[];
extern const torture_case torture_handshake[];
extern const torture_case torture_client[];
extern const torture_case torture_deflate[];
extern const torture_case torture_world[];
extern const torture_case torture_http[];

#endif
