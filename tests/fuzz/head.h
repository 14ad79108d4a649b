/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 heads for the two head targets: a judge that finds the empty line first and then looks
 * at whole lines, so that it shares nothing with the library's parser but RFC 9112; and the library
 * parser run whole and in pieces.
 */
#ifndef WRING_TESTS_FUZZ_HEAD_H
#define WRING_TESTS_FUZZ_HEAD_H

#include "proto/http1.h"
#include "tests/fuzz/fuzz.h"

typedef struct fuzz_head {
    enum wring__http1_kind kind;
    uint32_t head_max;
    uint16_t target_max;
    /* of a legal head */
    size_t len;
    wring_bytes method; /* request */
    unsigned minor;     /* request: of the version */
    wring_bytes target; /* request */
    int status;         /* response */
    wring_header fields[WRING__HTTP1_FIELDS_MAX];
    size_t field_count;
} fuzz_head;

/* Limits by a byte of the input. */
fuzz_head fuzz_head_take(enum wring__http1_kind kind, wring_bytes *in);

/* Parses `bytes` whole and as cut; checks that both come to the same, and that it is what the judge
 * says. On WRING_OK `head` and `parser` are filled in and borrow from `bytes`. */
wring_result fuzz_head_parse(fuzz_head *head, wring__http1 *parser, wring_bytes bytes,
                             const fuzz_cuts *cuts);

/* Is the target one of the four forms? RFC 9112 3.2 */
bool fuzz_head_target_is_legal(const fuzz_head *head);

/* A host and an optional port, by regular expressions and inet_pton. RFC 9110 7.2 */
bool fuzz_is_authority(wring_bytes text);

/* How many fields have this name, any case; `value` of the first (may be NULL). */
size_t fuzz_head_count(const fuzz_head *head, const char *name, wring_bytes *value);

#endif
