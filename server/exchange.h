/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an exchange: its request, what was answered, and its name for other threads. It
 * lies within the wring__http of its connection, and is used again for the next one.
 */
#ifndef WRING_SERVER_EXCHANGE_H
#define WRING_SERVER_EXCHANGE_H

#include "server/peer.h"
#include "server/routes.h"
#include "wring/exchange.h"

enum wring__answer_state {
    WRING__ANSWER_NONE,
    WRING__ANSWER_BEGUN, /* its body comes in pieces */
    WRING__ANSWER_WHOLE,
    WRING__ANSWER_ACCEPTED /* 101 is queued: the session begins when the callback has returned */
};

enum wring__body_use {
    WRING__BODY_NONE,
    WRING__BODY_COLLECT, /* `request` is called when it is there whole */
    WRING__BODY_STREAM   /* `body` gets it in pieces */
};

/** Memory that an exchange takes when it outlives the call that brought its request. */
typedef struct wring__kept {
    uint8_t *data; /* lists of headers and parameters, texts, TLS names; NULL: not taken */
    size_t bytes;
} wring__kept;

struct wring_exchange {
    wring__peer *peer;
    const wring__route *route;
    const wring_http_handler *handler; /* the route's http or upgrade; NULL: the library answers */
    wring_request request;
    wring__kept kept;
    wring_tls_info tls;
    wring__endpoint name; /* the slot of its ref; worker NULL: it has none */
    uint8_t *body;        /* collected */
    size_t body_len;
    size_t body_cap;
    uint64_t body_max;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    uint64_t tx_left; /* of a begun answer of known length */
    void *accept_data;
    void (*accept_lost)(void *data);
    uint16_t status;       /* of the answer */
    uint8_t answer;        /* a wring__answer_state */
    uint8_t use;           /* a wring__body_use */
    uint8_t depth;         /* callbacks of it that are running */
    bool is_live : 1;      /* `request` was called, and `done` was not */
    bool is_upgrade : 1;   /* it decides over an upgrade */
    bool asks_upgrade : 1; /* its request has Upgrade: websocket: nothing behind it is a request */
    bool is_head : 1;
    bool is_http10 : 1;
    bool asks_close : 1; /* its request allows no further one */
    bool owes_continue : 1;
    bool body_ended : 1;
    bool is_chunked : 1;    /* the answer */
    bool has_length : 1;    /* the answer */
    bool answer_begins : 1; /* its body comes in pieces */
    bool owes_end : 1;      /* of a begun answer that ended with its head: no answer_end yet */
    bool is_aborted : 1;
    bool wants_room : 1;  /* to be told of it */
    wring_result reason;  /* of is_aborted */
    wring_result refused; /* of the last call that was to answer it, and did not */
};

/** Begins one: everything is as in a new one. */
void wring__exchange_init(wring_exchange *exchange, wring__peer *peer);

/** Calls of the handler; each may answer. */
void wring__exchange_request(wring_exchange *exchange);
void wring__exchange_body(wring_exchange *exchange, wring_bytes piece, bool is_last);
void wring__exchange_info(wring_exchange *exchange, const wring_info *info);
void wring__exchange_drained(wring_exchange *exchange);

/** Takes what the request borrows, a body that was there whole too, into memory of its own.
 *  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__exchange_keep(wring_exchange *exchange);

/** It is over: its name ends, and `done` is called if it is live. Again is legal. */
void wring__exchange_end(wring_exchange *exchange, wring_result result);

/** What it has allocated; for one that has ended. */
void wring__exchange_free(wring_exchange *exchange);

/** What is allocated counts for the memory budget. */
void wring__exchange_count(wring_exchange *exchange, size_t more, size_t less);

/** Mail to its name. */
extern const wring__end_ops wring__exchange_name_ops;

/** Whether the application may answer it later. */
static inline bool wring__exchange_waits(const wring_exchange *exchange) {
    return exchange->name.worker != NULL || exchange->answer == WRING__ANSWER_BEGUN;
}

/** Its own policy: that of its route. */
const wring_policy *wring__exchange_policy(const wring_exchange *exchange);

#endif
