/* SPDX-License-Identifier: Apache-2.0
 *
 * The load generator behind `wring bench`: what it is told, and what it measured. Prints nothing
 * and reads no options; cli/bench*.c does.
 *
 *   run.c      the main thread's side: threads, phases, the observer
 *   setup.c    a run's memory
 *   collect.c  intervals and result
 *   thread.c   one worker thread: opens its share of the connections, measures, drains, closes
 *   pace.c     the schedule: what is due when, how long a thread may sleep
 *   link.c     one session: dial, TLS, upgrade, close
 *   trunk.c    one connection of HTTP/2, whose streams are sessions
 *   rx.c       frames received, by header arithmetic
 *   verify.c   answers byte by byte
 *   tx.c       prebuilt masked frames
 *   ramp.c     what changes over time in stages
 *   limit.c    -n: so many messages, then the end
 *   echo.c     echo mode: sending, and the right answer to the oldest message
 *   echo_match.c  any other message: what it is, and how matching goes on
 *   fanout.c   publishers and subscribers
 *   errors.c   errors by kind
 *   refusal.c  what a server said that refused the upgrade
 *   text.c     is what the user gave UTF-8
 *   target.c   URL, request, source addresses, preflight
 *   address.c  the address that a name stands for
 */
#ifndef WRING_LOAD_LOAD_H
#define WRING_LOAD_LOAD_H

#include "bench/load/histogram.h"
#include "bench/load/parse.h"
#include "bench/load/ramp.h"
#include "bench/load/sizes.h"
#include "wring/backend.h"
#include "wring/http.h"
#include "wring/tls.h"
#include "wring/upgrade.h"

typedef enum load_mode { LOAD_ECHO, LOAD_FANOUT, LOAD_CONNECT, LOAD_IDLE } load_mode;

#define LOAD_THREADS_MAX 64
/* A duration for runs that `messages` ends. */
#define LOAD_ENDLESS        (365 * 86400 * WRING_NS_PER_SEC)
#define LOAD_PUBLISHERS_MAX 4096
#define LOAD_HEADERS_MAX    64 /* of `upgrade.extra` */

/** Zeroed fields are off, or the default that load_config_init sets. Strings are borrowed. */
typedef struct load_config {
    load_mode mode;
    const char *url;       /* "{topic}" in it is replaced by a number below `topics` */
    const char *url_shown; /* the same without a password; NULL: `url` */
    const char *host;      /* for the Host header; NULL: of the URL */
    uint32_t connections;  /* sessions; with HTTP/2 several share a connection */
    bool http2;            /* with TLS by ALPN, without by prior knowledge */
    uint32_t streams;      /* HTTP/2: sessions that a connection carries, then it ends; 0: 1 */
    uint32_t threads;      /* 0: picked */
    wring_backend backend;
    wring_duration_ns duration;
    wring_duration_ns warmup;
    uint64_t messages;      /* the measured time ends when so many are answered; 0: no limit */
    double rate;            /* messages a second in all; 0: closed loop */
    load_ramp ramp;         /* of the rate, which is then its greatest, from the measured time on */
    load_ramp connect_ramp; /* of the connections, opened in the measured time; never fewer */
    double connect_rate;    /* connections a second in all; 0: as fast as they open */
    uint32_t pipeline;      /* messages under way on a connection; fan-out: of a publisher */
    uint32_t burst;         /* fan-out: messages published at a time */
    uint32_t publishers;
    uint32_t topics;
    load_sizes sizes;
    wring_bytes message; /* in place of generated ones; empty with has_message is legal */
    bool has_message;
    bool binary;
    bool any_answer;   /* each message is answered by one, whatever it is */
    bool verify;       /* compares every byte of an answer */
    bool keep_refusal; /* the whole answer of a server that refuses the upgrade, in the result */
    bool deflate;      /* permessage-deflate is asked for; all messages are of one size */
    wring_upgrade_offer upgrade;        /* besides host and target */
    const wring_tls_client_config *tls; /* for wss:// */
    const load_address *sources;
    size_t source_count;
    wring_duration_ns connect_timeout;
    wring_duration_ns interval; /* of the series and the observer */
    uint32_t server_pid;        /* its CPU time and memory are read; 0: unknown */
} load_config;

void load_config_init(load_config *config);

/** Errors told apart by a short text, such as "connect: Connection refused". */
typedef struct load_error_kind {
    char text[352]; /* room for the cause of a failed TLS handshake, names included */
    uint64_t count;
} load_error_kind;

#define LOAD_ERROR_KINDS 32

typedef struct load_errors {
    load_error_kind kinds[LOAD_ERROR_KINDS]; /* the last one is for all that found no room */
    uint32_t count;
} load_errors;

/** Counts `text`, which may hold what a server sent: it is made printable. */
void load_errors_add(load_errors *errors, uint64_t count, const char *text);
uint64_t load_errors_total(const load_errors *errors);

/** One interval of the run, from `t` seconds after the measured time began. */
typedef struct load_sample {
    double t;
    double seconds;
    uint64_t messages; /* answers, deliveries or connections */
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
    uint64_t lag_p99_ns; /* constant rate */
} load_sample;

/** Messages and bytes of payload. */
typedef struct load_counts {
    uint64_t sent;
    uint64_t received;
    uint64_t wrong; /* echo: of those received, with a fault */
    uint64_t sent_bytes;
    uint64_t received_bytes;
} load_counts;

typedef struct load_cpu {
    double user_s;
    double system_s;
} load_cpu;

typedef struct load_result {
    wring_backend backend; /* that it ran on */
    struct {
        uint64_t wanted, opened, failed, lost;
        uint64_t unanswered; /* dials that had waited for over a second when the run ended; when
                                none opened, all that were under way, and they are among `failed` */
        uint64_t unclosed;   /* our close frame went out, and the server's never came */
    } connections;           /* sessions */
    uint64_t carriers;       /* HTTP/2: connections that carried them */
    load_counts measured;    /* in the measured time */
    load_counts totals;      /* with warm-up and what came after the end */
    uint64_t lost;           /* of all sent, never answered or delivered */
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t foreign;       /* messages received that nobody here sent */
    uint64_t to_publishers; /* deliveries to publishers: not part of `received` */
    uint64_t wire_sent;     /* bytes of the whole run as the sockets took and gave them */
    uint64_t wire_received;
    uint64_t unsent;              /* constant rate: messages that were due and could not be sent;
                                     connect mode: dials that were due and never begun */
    wring_duration_ns behind_max; /* constant rate: the latest a message went out, or dial began */
    uint64_t held;       /* constant rate: messages that waited because all connections were full */
    load_histogram *lag; /* constant rate: ns by which the generator itself was late: from the time
                            a message was due (or, if it was held, had room) until it was sent */
    uint64_t backoffs;   /* connect mode: pauses because no dial succeeded */
    double backoff_s;    /* ... and their sum, over all threads */
    double duration_s;
    double warmup_s;
    double opening_s;        /* from the first dial until all were open, or the last that opened */
    load_histogram *latency; /* ns; with a rate from when it was due */
    load_histogram *connect; /* ns from the dial to the 101 */
    load_cpu cpu;            /* of the generator, in the measured time */
    load_cpu server_cpu;     /* with server_pid */
    load_cpu server_opening; /* the same, from the first dial until all were open */
    uint64_t server_rss_before;
    uint64_t server_rss_after; /* while all are open */
    uint64_t own_rss_before;
    uint64_t own_rss_after;
    uint64_t slab_before; /* of the whole machine */
    uint64_t slab_after;
    load_sample *series;
    size_t series_count;
    load_errors errors;
    char *refusal; /* head and body, as far as they came; NULL: nobody refused */
    uint32_t threads;
    bool interrupted;
} load_result;

void load_result_deinit(load_result *result);

enum load_phase { LOAD_OPENING, LOAD_WARMUP, LOAD_MEASURING, LOAD_DRAINING, LOAD_CLOSING };

/** What an observer is shown: of the interval that just ended, and so far. */
typedef struct load_progress {
    enum load_phase phase;
    uint64_t opened, failed, lost, wanted;
    uint64_t carriers;         /* HTTP/2: connections that carry them */
    uint64_t left;             /* closing: those that are not gone yet */
    double elapsed_s;          /* in this phase */
    double left_s;             /* of the measured time; warm-up: until it begins */
    const load_sample *sample; /* NULL: no interval ended */
    const load_sample *series;
    size_t series_count;
    const load_histogram *latency; /* so far */
    const load_errors *errors;
    uint64_t messages; /* so far */
} load_progress;

typedef struct load_observer {
    /** About four times a second. Returns false to end the run, which is then reported so far. */
    bool (*progress)(void *arg, const load_progress *progress);
    void *arg;
} load_observer;

/** Runs the load and waits for its end.
 *  Own:    the caller frees by load_result_deinit, also after an error
 *  Errors: WRING_ERR_INVALID_URL, _ADDRESS, _CONNECT (no connection could be opened), _BACKEND,
 *          _LIMIT (preflight), _TLS_CONFIG, _NO_MEMORY, with a sentence that says what to do */
WRING_MUST_CHECK wring_result load_execute(const load_config *config, const load_observer *observer,
                                           load_result *result, wring_error *error);

#endif
