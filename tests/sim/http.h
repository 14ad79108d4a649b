/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenario `http`: what its server (http_server.c), its clients (http_client.c) and the world
 * around both (http.c) know of each request.
 */
#ifndef WRING_TESTS_SIM_HTTP_H
#define WRING_TESTS_SIM_HTTP_H

#include "tests/sim/sim_test.h"
#include "wring/exchange.h"

#define HTTP_CLIENTS      6
#define HTTP_REQUESTS_MAX 8 /* of a client */
#define HTTP_ASKED_MAX    (HTTP_CLIENTS * HTTP_REQUESTS_MAX)
#define HTTP_JOBS_MAX     1024
#define HTTP_BODY_MAX     6000 /* more is refused with 413 */

/* What a request asks for; its path is the name in http_paths. */
enum http_kind {
    HTTP_NOW,    /* answered in `request` */
    HTTP_SILENT, /* not answered at all: 500 */
    HTTP_LATE,   /* by its ref, from another thread */
    HTTP_PEER,   /* by its pointer, from a callback of another exchange; by its ref at last */
    HTTP_INFO,   /* from `info`, after a post to its ref */
    HTTP_STREAM, /* begun, then piece by piece */
    HTTP_ECHO,   /* its body comes back piece by piece */
    HTTP_UPLOAD, /* its body is counted, with pauses; sometimes it is answered early */
    HTTP_ABORT,  /* aborted: at once, within the answer, or later */
    HTTP_HOOK,   /* an upgrade that a hook decides over */
    HTTP_SOCKET, /* an upgrade without a hook */
    HTTP_MISSING,
    HTTP_KINDS
};

/* How a hook decides. */
enum http_verdict {
    VERDICT_ACCEPT,
    VERDICT_REFUSE,
    VERDICT_ACCEPT_LATER,
    VERDICT_REFUSE_LATER,
    VERDICT_BOTH_LATER, /* two threads, who do not agree */
    VERDICT_NEVER,
    VERDICTS
};

typedef struct http_ask {
    const struct http_client *client;
    enum http_kind kind;
    unsigned id;      /* its place in http_now.asked */
    unsigned flavour; /* further choices of the handler's */
    size_t body_len;  /* of the request; of a stream's answer as well */
    bool is_head;     /* HEAD */
    bool is_10;       /* HTTP/1.0 */
    bool is_chunked;  /* the request */
    bool expects;     /* 100-continue */
    bool asks_close;  /* Connection: close, or 1.0 without keep-alive */
    size_t ends_at;   /* where in the client's bytes it ends */
    size_t begins_at; /* ... begins */
    /* the server's side */
    unsigned requested; /* calls of `request` */
    unsigned done;      /* calls of `done` */
    bool is_reset;      /* of a stream: its client has cancelled it */
    bool is_aborted;    /* from a callback of another exchange */
    wring_exchange_end end;
    /* the client's */
    bool is_seen; /* its answer came whole */
    unsigned status;
    size_t seen_bytes; /* of the answer's body */
    bool is_unframed;  /* the end of the connection was that of its answer */
} http_ask;

/* An accept, whose data is given to init or to lost. */
typedef struct http_given {
    unsigned id; /* of the request */
    unsigned init;
    unsigned lost;
    bool is_taken; /* the call said WRING_OK */
} http_given;

/* What another thread has to do. */
typedef struct http_job {
    enum { JOB_ANSWER, JOB_ACCEPT, JOB_POST, JOB_STOP } what;
    unsigned id;
    wring_ref ref;
    wring_time_ns at;
} http_job;

typedef struct http_client {
    wring__socket socket;
    http_ask asks[HTTP_REQUESTS_MAX];
    unsigned count;
    unsigned next; /* the first that was not answered whole */
    uint8_t out[65536];
    size_t out_len;
    size_t out_sent;
    uint8_t in[65536]; /* of the answer at hand */
    size_t in_len;
    wring_time_ns waits_until; /* neither reads nor sends until then */
    bool has_dialled;
    bool has_shut;   /* sends nothing more */
    bool has_waited; /* once */
    bool is_over;
    bool is_cut;   /* by itself, before everything had come */
    bool had_end;  /* the server's end of the stream */
    bool must_end; /* no answer may follow */
    bool is_upgraded;
    bool may_shut;     /* half-closes when all is sent */
    bool had_continue; /* for the request at hand */
    unsigned echoes;   /* frames that came back */
    unsigned frames;   /* that it sends behind its upgrade */
} http_client;

typedef struct http_world {
    sim_run run;
    http_client clients[HTTP_CLIENTS];
    http_ask *asked[HTTP_ASKED_MAX]; /* by id */
    unsigned asked_count;
    http_job jobs[HTTP_JOBS_MAX];
    unsigned job_count;
    http_given given[2 * HTTP_ASKED_MAX];
    unsigned given_count;
    wring_exchange *parked[HTTP_ASKED_MAX]; /* who waits, by id; NULL: not */
    bool is_draining;
    bool is_tight;         /* few slots: a connection or two may have a ref */
    uint64_t refs_refused; /* no slot was free */
    uint64_t fulls;        /* writes that found the queue full */
    uint64_t drained;      /* calls of `drained` */
} http_world;
extern http_world http_now;

extern const char *const http_paths[HTTP_KINDS];

uint64_t http_random(uint64_t bound);
/* What body request `id` has at `at`: nothing else that is sent has these bytes in this order. */
uint8_t http_byte(unsigned id, size_t at);
/* What other threads have to do now, or some of it. True: something is left. */
bool http_jobs_run(void);
void http_job_add(unsigned what, unsigned id, wring_ref ref, uint64_t within_ms);

/* What came is that of this request: a piece of its body; all of it, until `done`. */
void http_body_look(const http_ask *ask, size_t at, wring_bytes piece);
void http_request_look(const wring_exchange *exchange, const http_ask *ask);
/* Whether what `done` was told can be. */
void http_end_check(const http_ask *ask);

/* The server's side. */
void http_server_begin(uint64_t seed);
void http_job_run(const http_job *job);

/* The client's. */
void http_client_plan(http_client *client);
void http_client_step(http_client *client);

#endif
