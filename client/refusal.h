/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer that refused an upgrade or a CONNECT, kept for the application's report: status line,
 * headers and the first bytes of the body.
 */
#ifndef WRING_CLIENT_REFUSAL_H
#define WRING_CLIENT_REFUSAL_H

#include "proto/http1.h"
#include "proto/http1_body.h"
#include "wring/client.h"

#define WRING__REFUSAL_BODY_MAX 4096
#define WRING__INTERIM_MAX      16 /* interim answers before the final one */

typedef struct wring__refusal {
    wring_http_answer answer; /* views of what follows */
    wring_error error;        /* what the application is told once the body has come */
    wring__http1_body body;
    bool was_cut; /* there was more of the body than is kept */
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    uint8_t body_bytes[WRING__REFUSAL_BODY_MAX];
    uint8_t head[];
} wring__refusal;

/** Copies a finished head.
 *  @param parser  of the head at the start of `data`
 *  Own: give, free() it; NULL when memory is out. */
wring__refusal *wring__refusal_create(const wring__http1 *parser, const uint8_t *data,
                                      bool by_proxy);

/** Copies the head of an answer of HTTP/2. Its body has no framing of its own.
 *  @param fields  without :status
 *  Own: give, free() it; NULL when memory is out. */
wring__refusal *wring__refusal_create_carried(int status, wring_headers fields);

/** Of an answer of HTTP/2: its stream has ended, and so has the body. */
void wring__refusal_ended(wring__refusal *refusal);

/** Takes bytes of the body. True: nothing more is wanted. */
bool wring__refusal_feed(wring__refusal *refusal, wring_bytes bytes);

/** The error's sentence: who refused what, the status, the reason and where a redirect points. */
void wring__refusal_explain(wring__refusal *refusal);

#endif
