/* SPDX-License-Identifier: Apache-2.0
 *
 * The results as JSON and as a page to look at: one row a case.
 */
#ifndef WRING_TESTS_CONFORMANCE_REPORT_H
#define WRING_TESTS_CONFORMANCE_REPORT_H

#include "tests/conformance/tester.h"

#define LINKS_MAX 16

struct run {
    bool ran;
    struct verdict verdict;
};

struct results {
    const struct suite *suite;
    const struct link_ops *links[LINKS_MAX];
    const char *targets[LINKS_MAX]; /* of those that need a server */
    size_t link_count;
    struct run (*runs)[LINKS_MAX][CUTS]; /* by case */
};

/* Writes index.json and index.html into `folder`, which exists. False with a message on stderr. */
bool report_write(const struct results *results, const char *folder);

#endif
