/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate (RFC 7692) of the tester: what a case negotiates, and its own compressor and
 * inflater, by zlib. Nothing here uses the library under test but deflate_client_config.
 */
#ifndef WRING_TESTS_CONFORMANCE_DEFLATE_H
#define WRING_TESTS_CONFORMANCE_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wring/deflate.h"

/* One set of parameters, from the tester's side whichever role it has. */
struct deflate_set {
    bool own_takeover;  /* the tester keeps its window over messages */
    bool peer_takeover; /* the other side may */
    int own_bits;       /* 9 to 15; 0: not said */
    int peer_bits;
    bool several; /* other offers come before it, which have to be passed over */
};

/* What the next link negotiates; NULL: nothing. */
extern const struct deflate_set *link_deflate;

#define DEFLATE_TEXT 512
/* The value of Sec-WebSocket-Extensions in the tester's request, "" for none. */
void deflate_offer(const struct deflate_set *set, char out[DEFLATE_TEXT]);
/* ... in its response. */
void deflate_answer(const struct deflate_set *set, char out[DEFLATE_TEXT]);
/* Does the head of a server's response grant the set? */
bool deflate_is_granted(const struct deflate_set *set, const char *head);
/* What a client under test is configured with, so that it offers what the set needs. */
wring_deflate_config deflate_client_config(const struct deflate_set *set);
wring_deflate_params deflate_client_params(const struct deflate_set *set);

struct squeezer;
struct squeezer *squeezer_create(const struct deflate_set *set);
void squeezer_destroy(struct squeezer *s);
/* One message; good until the next call. */
const uint8_t *squeeze(struct squeezer *s, const void *data, size_t len, size_t *out_len);

struct expander;
struct expander *expander_create(const struct deflate_set *set);
void expander_destroy(struct expander *e);
/* NULL when it does not inflate with the window that was agreed on. */
const uint8_t *expand(struct expander *e, const void *data, size_t len, size_t *out_len);

#endif
