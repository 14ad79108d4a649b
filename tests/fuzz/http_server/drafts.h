/* SPDX-License-Identifier: Apache-2.0
 *
 * What exchanges are answered and accepted with. Each answer has headers that name its exchange and
 * itself, and a body of its own.
 */
#ifndef WRING_TESTS_FUZZ_HTTP_SERVER_DRAFTS_H
#define WRING_TESTS_FUZZ_HTTP_SERVER_DRAFTS_H

#include "tests/fuzz/http_server/exchanges.h"

#define PIECE_MAX 6000

struct draft {
    size_t id;
    wring_header headers[2];
    char texts[2][16];
    wring_answer answer;
};

/* An answer of the exchange `of`; its entry in all->replies is filled in, and counts when it is
 * added to all->reply_count. */
void draft_make(exchanges *all, struct draft *draft, const record *of, unsigned flavour);

/* Bytes of the body of an answer, from `at`; good until the next call. */
wring_bytes draft_filler(size_t answer, size_t at, size_t len);

/* A length of the input's, within what is left of the budget. */
size_t draft_length(exchanges *all, wring_bytes *from);

/* An accept with data; until it was refused it counts as taken. */
fuzz_given *draft_accept(exchanges *all, wring_accept *accept, unsigned flavour);

#endif
