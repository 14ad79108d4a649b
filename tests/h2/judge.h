/* SPDX-License-Identifier: Apache-2.0
 *
 * A judge of what one end of a connection of HTTP/2 says. It is given all that both ends say, in
 * the order the test saw it, and checks each frame of the judged end: that it is legal (RFC 9113),
 * that it keeps to the windows it was given, that no more of its own windows is given than it may
 * have, that nothing follows an end. It shares nothing with the library; header blocks are read
 * with nghttp2's inflater.
 */
#ifndef WRING_TESTS_H2_JUDGE_H
#define WRING_TESTS_H2_JUDGE_H

#include "tests/h2/wire.h"

/* The program's: a broken expectation ends it. */
_Noreturn void h2_judge_fail(const char *what, const char *file, int line);

typedef struct h2_judged_stream {
    uint32_t id;
    h2_buffer heads;     /* of the final head: name, 0, value, 0, ... */
    h2_buffer data;      /* from the judged end, without padding */
    h2_buffer peer_data; /* to it */
    int64_t given;       /* to the judged end, by WINDOW_UPDATE */
    int64_t sent;        /* by the judged end, of its window */
    int64_t peer_given;  /* to the other end */
    int64_t peer_sent;
    unsigned status;  /* of the final head of a server; a client's request: 1 */
    unsigned interim; /* heads before it */
    unsigned heads_by_peer;
    bool ended; /* by the judged end: END_STREAM */
    bool reset; /* ... RST_STREAM */
    uint32_t code;
    bool peer_ended;
    bool peer_reset;
} h2_judged_stream;

/* What SETTINGS of the peer ask for. */
typedef struct h2_judged_settings {
    uint32_t initial_window;
    uint32_t table_least; /* of several in one frame */
    uint32_t table;
} h2_judged_settings;

typedef struct h2_judge {
    bool is_client;      /* the judged end is */
    uint32_t window;     /* of a stream, that the judged end says in its SETTINGS */
    uint32_t window_all; /* of the connection */
    /* the rest is the judge's; zeroed at the beginning */
    h2_buffer said; /* not parsed yet */
    h2_buffer peer_said;
    h2_judged_stream *streams;
    size_t count;
    size_t cap;
    h2_judged_settings agreed; /* the peer's, as far as they were acknowledged */
    h2_buffer pending;         /* those that were not: h2_judged_settings */
    uint64_t settings;         /* that the peer has sent, */
    uint64_t acks;             /* ... and that were acknowledged */
    uint64_t pings;
    uint64_t pongs;
    int64_t given; /* as of a stream, for the connection */
    int64_t sent;
    int64_t peer_given;
    int64_t peer_sent;
    uint32_t last_stream; /* the highest that a judged client has opened */
    uint32_t goaway_last;
    uint32_t goaway_code;
    unsigned goaways;
    bool had_preface; /* the client's, whoever is judged */
    bool had_settings;
    bool is_lost;      /* the peer said what breaks the connection: windows are not judged */
    uint32_t block_of; /* the stream of a header block that is not whole; 0: none */
    bool block_ends;   /* ... END_STREAM stood in its HEADERS */
    h2_buffer block;
    struct nghttp2_hd_inflater *inflater;
    /* optional: a frame of the judged end was seen */
    void (*on_frame)(struct h2_judge *judge, const h2_frame *frame);
    void *user;
} h2_judge;

/* With `is_client` and the windows set. */
void h2_judge_init(h2_judge *judge);
void h2_judge_free(h2_judge *judge);

/* What the other end says: before it is read. */
void h2_judge_peer_says(h2_judge *judge, wring_bytes bytes);
/* Nothing more: what is there of its last frame counts as far as it came. */
void h2_judge_peer_ends(h2_judge *judge);
/* What the judged end said. */
void h2_judge_says(h2_judge *judge, wring_bytes bytes);

/* NULL: there is none. */
h2_judged_stream *h2_judge_stream(const h2_judge *judge, uint32_t id);
/* A field of its final head; false: there is none. */
bool h2_judged_field(const h2_judged_stream *stream, const char *name, wring_bytes *value);

#endif
