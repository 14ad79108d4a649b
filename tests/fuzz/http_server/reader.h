/* SPDX-License-Identifier: Apache-2.0
 *
 * What went over the connection, read again when everything is over: the requests that the peer
 * sent, and the answers that it got. The reader of answers shares nothing with the library. That of
 * requests has the library's parsers, which targets of their own judge (http1_request, http1_body),
 * over the whole text at once.
 */
#ifndef WRING_TESTS_FUZZ_HTTP_SERVER_READER_H
#define WRING_TESTS_FUZZ_HTTP_SERVER_READER_H

#include "tests/fuzz/fuzz.h"
#include "wring/http.h"

/* ---- requests -------------------------------------------------------------------------------- */

enum ask_state {
    ASK_NONE,      /* nothing more was sent */
    ASK_HEAD_PART, /* its head is not complete */
    ASK_HEAD_BAD,
    ASK_BODY_PART, /* its head is good; its body is not complete */
    ASK_BODY_BAD,
    ASK_WHOLE
};

typedef struct fuzz_ask {
    enum ask_state state;
    wring_request request; /* from ASK_BODY_PART on; borrows from the text */
    bool is_head;          /* HEAD */
    bool is_10;
    bool asks_upgrade;
    bool asks_close;
    bool expects; /* 100-continue */
    bool has_body;
    bool chunked;
    uint64_t length; /* announced */
    fuzz_log body;   /* all that came of it; freed by ask_free */
    wring_header list[WRING_HTTP_FIELDS_MAX];
} fuzz_ask;

/* Takes the next request from the front of `text`. */
void ask_take(fuzz_ask *out, wring_bytes *text, uint32_t head_max, uint16_t target_max);
void ask_free(fuzz_ask *ask);

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct fuzz_reply {
    unsigned status;
    bool is_whole;     /* all of it came, as far as its framing tells */
    bool is_head_only; /* the end of the bytes came within its head, or before it */
    bool is_unframed;  /* its end is that of the connection */
    bool is_chunked;
    bool has_length;
    bool is_close;      /* Connection: close */
    bool is_keep_alive; /* Connection: keep-alive */
    bool has_record;    /* X-Record and X-Answer stand in it: the application's */
    size_t record;
    size_t answer;
    size_t length;
    fuzz_log body; /* freed by reply_free */
} fuzz_reply;

/* Takes the next answer from the front of `bytes`; its framing is checked.
 * `ask` is what it answers: it tells whether there is a body. A refusal may come before its request
 * was read, so that it has one although `ask` is for HEAD. */
void reply_take(fuzz_reply *out, wring_bytes *bytes, const fuzz_ask *ask);
void reply_free(fuzz_reply *reply);

#endif
