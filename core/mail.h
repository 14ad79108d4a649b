/* SPDX-License-Identifier: Apache-2.0
 *
 * Mail: what threads hand to a worker. What each kind carries, what of it counts as lost when
 * nobody reads it, and how it is then given back. The queue is core/mailbox.h.
 */
#ifndef WRING_CORE_MAIL_H
#define WRING_CORE_MAIL_H

#include "core/shared.h"
#include "wring/handler.h"

/** Mail for one connection: `ref` names it and `data` is a wring__shared or NULL, so that mail for
 *  a connection that is gone can be dropped without knowing it. A call names no connection. Kinds
 *  from WRING__MAIL_WORKER on are the worker owner's. */
enum wring__mail_kind {
    WRING__MAIL_SEND = 1, /* data: the framed message */
    WRING__MAIL_CLOSE,    /* data: reason as payload, close_code */
    WRING__MAIL_STOP,
    WRING__MAIL_POST,        /* data: payload is a wring__posted */
    WRING__MAIL_SUBSCRIBE,   /* data: payload is the topic */
    WRING__MAIL_UNSUBSCRIBE, /* the same */
    WRING__MAIL_CALL,        /* data: a wring__call */
    WRING__MAIL_ANSWER,      /* to an exchange; data: the packed answer (server/exchange_ref.c) */
    WRING__MAIL_ACCEPT,      /* the same of an accept; its payload begins with a wring__given */
    WRING__MAIL_WORKER = 64
};

typedef struct wring__mail {
    uint32_t kind;
    uint32_t arg;
    uint64_t ref;
    void *data;
    uint64_t value;
} wring__mail;

/** The payload of posted mail. */
typedef struct wring__posted {
    wring_info info;
    void (*lost)(const wring_info *info);
} wring__posted;

/** What the payload of an accept begins with: a thing that changes hands with it. */
typedef struct wring__given {
    void *data;
    void (*lost)(void *data); /* nobody took it; may be NULL */
} wring__given;

/** Work for a worker's thread: embedded in the poster's struct. One of the two is called, once. */
typedef struct wring__call {
    void (*run)(struct wring__call *call, void *worker); /* worker: the wring__worker */
    void (*lost)(struct wring__call *call);              /* the worker ended first */
} wring__call;

/** What is lost when nobody reads this mail: frames, but for a close frame, a posted info,
 *  or a subscription. */
size_t wring__mail_count(const wring__mail *mail);

/** Nobody will read this mail: tells its sender if it asked for that, and frees what it carried. */
void wring__mail_lost(const wring__mail *mail);

#endif
