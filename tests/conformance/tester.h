/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a case over a link and judges what comes back.
 */
#ifndef WRING_TESTS_CONFORMANCE_TESTER_H
#define WRING_TESTS_CONFORMANCE_TESTER_H

#include "tests/conformance/link.h"
#include "tests/conformance/script.h"

enum cut { CUT_WHOLE, CUT_BYTES, CUT_RANDOM, CUTS };
extern const char *const cut_names[CUTS];

struct verdict {
    bool pass;
    bool closed;         /* a close frame came */
    uint16_t close_code; /* in it; 0: none */
    char behaviour[96];  /* one line: what the other side did, or what was wrong */
};

struct verdict tester_run(const struct test_case *c, const struct link_ops *link, enum cut cut,
                          uint64_t seed);

#endif
