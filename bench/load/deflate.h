/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate (RFC 7692) as a load generator needs it: the message is compressed once for
 * the whole run, and of what comes back only the beginning is inflated, to find its number; all of
 * it with --verify.
 */
#ifndef WRING_LOAD_DEFLATE_H
#define WRING_LOAD_DEFLATE_H

#include "core/base.h"

/* No takeover, so that each message stands alone; no client_max_window_bits, so that the server has
 * no say in how ours was compressed. */
#define LOAD_DEFLATE_OFFER                                                                         \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* A stored block's header (RFC 1951 3.2.4), in front of bytes that change with each message. */
#define LOAD_DEFLATE_STORED_HEADER 5

/** Compresses `plain`; its first `stored` bytes stand uncompressed behind the block's header, so
 * that they can be changed at will: the rest does not refer to them. Own:    the caller frees *out
 *  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result load_deflate(const uint8_t *plain, size_t len, size_t stored,
                                           uint8_t **out, size_t *out_len);

typedef struct load_inflater load_inflater;

load_inflater *load_inflater_create(void); /* NULL when memory is out */
void load_inflater_destroy(load_inflater *inflater);

/** Begins a message. */
void load_inflater_reset(load_inflater *inflater);

/** Inflates the next piece of a message and hands on what it gives, borrowed for the call.
 *  False when it is no deflate stream. */
bool load_inflate(load_inflater *inflater, const uint8_t *data, size_t len,
                  void (*take)(void *arg, const uint8_t *data, size_t len), void *arg);

/** Inflates the beginning of a message, as far as `cap` bytes or the input go.
 *  False when it is no deflate stream. */
bool load_inflate_head(load_inflater *inflater, const uint8_t *data, size_t len, uint8_t *out,
                       size_t cap, size_t *out_len);

#endif
