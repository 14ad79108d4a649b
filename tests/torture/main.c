/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs each case with its first allocation failing, then its second, and so on until it needs no
 * more; once with that one failing alone, once with all from there on.
 *
 *     torture [CASE [NUMBER]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/torture/torture.h"

static const char *now_name = "";
static uint64_t now_number;
static bool now_all;

void torture_fail(const char *what, const char *file, int line) {
    fprintf(stderr, "FAILED %s, allocation %llu%s: %s:%d: %s\n", now_name,
            (unsigned long long)now_number, now_all ? " and all behind it" : "", file, line, what);
    abort();
}

/* False: the case did not come to that allocation. */
static bool run_once(const torture_case *c, uint64_t number, bool all) {
    now_number = number;
    now_all = all;
    const int64_t live = torture_live();
    torture_arm(number, all);
    const wring_result result = c->run();
    const bool struck = torture_disarm();
    CHECK(torture_live() == live);
    CHECK(struck || result == WRING_OK);
    CHECK(!struck || result == WRING_ERR_NO_MEMORY || (c->tolerates && result == WRING_OK));
    return struck;
}

static void run_case(const torture_case *c) {
    uint64_t number = 0;
    now_name = c->name;
    CHECK(c->run() == WRING_OK); /* what lives as long as the process is made now */
    const uint64_t before = torture_count();
    CHECK(c->run() == WRING_OK);
    CHECK(torture_count() > before); /* else the shim is not there */
    for (int all = 0; all < 2; all++) {
        for (number = 0; run_once(c, number, all != 0); number++) {
        }
    }
    printf("%-40s %5llu allocations\n", c->name, (unsigned long long)number);
}

int main(int argc, char **argv) {
    bool found = false;
    for (size_t i = 0; torture_lists[i] != NULL; i++) {
        for (const torture_case *c = torture_lists[i]; c->name != NULL; c++) {
            if (argc > 1 && strcmp(argv[1], c->name) != 0) {
                continue;
            }
            found = true;
            if (argc > 2) {
                now_name = c->name;
                (void)run_once(c, strtoull(argv[2], NULL, 10), false);
                (void)run_once(c, strtoull(argv[2], NULL, 10), true);
            } else {
                run_case(c);
            }
        }
    }
    return found ? 0 : 2;
}
