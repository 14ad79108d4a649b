/* SPDX-License-Identifier: Apache-2.0
 *
 * One session of a load run: a connection of HTTP/1.1, or a stream of one of HTTP/2 (a trunk). Its
 * stages, what it awaits and what it receives (link.c, rx.c, trunk.c).
 */
#ifndef WRING_LOAD_LINK_H
#define WRING_LOAD_LINK_H

#include "bench/load/deflate.h"
#include "bench/load/load.h"
#include "bench/load/payload.h"
#include "bench/load/sequence.h"
#include "io/conn.h"
#include "proto/head.h"
#include "stream/stream.h"

typedef struct load_refused load_refused;
typedef struct load_trunk load_trunk;

enum load_stage {
    LOAD_STAGE_DIAL,
    LOAD_STAGE_UPGRADE, /* TLS included */
    LOAD_STAGE_OPEN,
    LOAD_STAGE_CLOSE, /* our close frame went out */
    LOAD_STAGE_OVER   /* counted; waits for its end */
};

enum load_role { LOAD_ROLE_ECHO, LOAD_ROLE_PUBLISHER, LOAD_ROLE_SUBSCRIBER, LOAD_ROLE_IDLE };

/** Frames received: where we are in the stream. */
typedef struct load_rx {
    uint64_t left;        /* payload bytes of the frame that are still to come */
    uint64_t message_len; /* of the message, as far as announced */
    uint8_t *head;        /* its first bytes, or a control frame's payload; when first needed */
    uint16_t head_len;
    uint8_t control_len;
    uint8_t header[10];
    uint8_t header_len;
    uint8_t message_opcode; /* 0: no message is open */
    uint8_t frame_opcode;
    bool fin;
    bool in_frame;
    bool compressed;         /* the message */
    const char *fault;       /* of the message, with --verify */
    load_inflater *inflater; /* of a compressed message in pieces, with --verify */
    uint64_t inflated;       /* bytes of the message so far, with --verify */
} load_rx;

/** An echo that is awaited. */
typedef struct load_awaited {
    wring_time_ns sent;
    uint8_t tag[LOAD_ECHO_TAG];
    uint32_t len;
} load_awaited;

/** A message whose place a wrong answer took: if its own comes after all, the other was none. */
typedef struct load_doubt {
    uint64_t number;
    wring_time_ns sent;
    const char *fault; /* counted as that so far */
    bool is_measured;  /* ... in the measured time */
} load_doubt;

#define LOAD_DOUBTS_MAX 32

/** The latest first to be forgotten last. */
typedef struct load_doubts {
    load_doubt list[LOAD_DOUBTS_MAX];
    uint32_t count;
} load_doubts;

typedef struct load_echo {
    load_awaited *ring;
    uint32_t head;
    uint32_t count;
    uint32_t cap;        /* a power of two */
    uint64_t next;       /* number; the oldest in the ring has next - count */
    uint64_t jumped;     /* numbers that later ones came before, and that did not come yet */
    load_doubts *doubts; /* when first needed */
} load_echo;

struct load_link {
    union { /* first: the endpoint's callbacks get this address */
        wring__endpoint end;
        wring__conn conn;      /* HTTP/1.1 */
        wring__mux_stream mux; /* HTTP/2. Zeroed while the session waits for its trunk */
    };
    load_thread *thread;
    load_trunk *trunk;       /* that carries it, or will; NULL: HTTP/1.1 */
    load_link *waiting_next; /* in the trunk's list of those that have no stream yet */
    load_link *older;        /* in the list of those that dial or close, by time */
    load_link *newer;
    wring_time_ns began; /* the dial, or the close */
    wring_time_ns due; /* connect mode: the dial, by the rate of connections; else when it began */
    uint32_t number;
    uint32_t open_at; /* place in thread->open */
    uint8_t stage;
    uint8_t role;
    bool listed;
    bool is_open;          /* stands in thread->open */
    bool deflate;          /* was negotiated */
    uint8_t interim_count; /* answers with 1xx before the one that counts */
    load_rx rx;
    wring__head *head;
    char *key;             /* until the 101 */
    load_refused *refused; /* an answer that is kept, while its body comes */
    load_echo echo;
    load_sequence *tracks; /* subscriber: by publisher of its topic */
    uint32_t publisher;    /* publisher: which */
    uint32_t topic;
};

/** Of an answer's head. */
#define LOAD_RESPONSE_MAX (16 * 1024)

/** Errors: those of wring__conn_connect. */
WRING_MUST_CHECK wring_result load_link_dial(load_thread *thread, uint32_t number);
/** Begins the close handshake. */
void load_link_close(load_link *link);
/** Something is wrong with it: counted as `text`, and ended. */
void load_link_fail(load_link *link, const char *text);
void load_link_failf(load_link *link, const char *format, ...) WRING_PRINTF(2, 3);
/** Is a close frame with that code the server's answer to ours, and not a close that it began? */
bool load_link_awaits_close(const load_link *link, unsigned code);
/** For those that took too long. */
void load_link_expire(load_link *link);
/** Ends one that is not open yet, uncounted. */
void load_link_abandon(load_link *link);

/** trunk.c's, of HTTP/2. The callbacks of a stream are those of a connection. */
extern const wring__end_ops load_link_ops;
/** The final answer to the request of a session came. */
void load_link_answered(load_link *link, int status, wring_headers headers);
/** It counts no more: as failed if it never opened, else as lost. */
void load_link_over(load_link *link, const char *text);
/** Why an endpoint failed, as far as it is known. */
void load_link_why(const wring__endpoint *end, wring_result reason, char *why, size_t cap);
wring__dial_config load_link_dial_config(load_thread *thread);
/** Frees one whose endpoint is closed, or never was. */
void load_link_free(load_link *link);

void load_rx_bytes(load_link *link, const uint8_t *data, size_t len);
void load_rx_free(load_rx *rx);

/** refusal.c: keeps an answer, if it is the run's first and is wanted. Its body follows by
 *  load_refusal_more, and the link fails when that has come. False: it is not kept.
 *  @param head  as it came; of HTTP/2 empty: one is written of the fields */
bool load_refusal_begin(load_link *link, unsigned status, wring_headers headers, wring_bytes head);
/** More of the body. */
void load_refusal_more(load_link *link, const uint8_t *data, size_t len);
/** The stream ended, broke or took too long: what came is kept.  Returns `text`: why it failed. */
#define LOAD_REFUSAL_TEXT 64
const char *load_refusal_end(load_link *link, char text[LOAD_REFUSAL_TEXT]);

/** verify.c: a compressed answer begins, goes on, and is whole. False: the link has failed. */
bool load_verify_begin(load_link *link, bool in_pieces);
bool load_verify_inflated(load_link *link, const uint8_t *data, size_t len);
bool load_verify_end(load_link *link);

/** A whole message: `head` are its first `head_len` bytes. */
typedef struct load_message {
    const uint8_t *head;
    size_t head_len;
    uint64_t len; /* LOAD_LEN_UNKNOWN: it was compressed, and only its beginning is known */
    uint8_t opcode;
    bool compressed;
    const char *fault; /* --verify: what is wrong beyond its head; NULL */
} load_message;

#define LOAD_LEN_UNKNOWN UINT64_MAX

/** A compressed message and the beginning of what it inflates to. */
typedef struct load_inflated {
    uint8_t wire[4096];
    uint8_t head[LOAD_HEAD_MAX];
    size_t wire_len; /* 0: none yet, or too long to keep */
    size_t head_len;
} load_inflated;

#endif
