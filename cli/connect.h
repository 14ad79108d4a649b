/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `wring connect`, and what its threads share.
 *
 *   connect.c           options, exit codes
 *   connect_converse.c  the main thread: signals, when to end
 *   connect_input.c     ... what is read becomes messages
 *   connect_session.c   the worker: what happens to the session
 *   connect_verdict.c   how it ended: exit code, sentence
 *   connect_show.c      ... as text for people or as JSON, put into the output
 *   connect_output.c    the output thread: writes; it alone may block on standard output and error
 *   connect_editor.c    ... at a terminal: the line that is being edited, with libedit
 *   connect_history.c   the file of lines sent before
 *   connect_json.c      JSON strings and base64; the objects of --json-input
 */
#ifndef WRING_CLI_CONNECT_H
#define WRING_CLI_CONNECT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/connect_output.h"
#include "wring/wring.h"

#define CONNECT_HEADERS_MAX      64
#define CONNECT_SUBPROTOCOLS_MAX 16

/* --linger was not given: CONNECT_LINGER_MS, or for ever with --one. WRING_OFF: for ever. */
#define CONNECT_LINGER_UNSET (UINT32_MAX - 1)
#define CONNECT_LINGER_MS    500

/* Exit codes beside those of cli.h: what a script can tell apart. */
enum {
    CONNECT_CLOSED_ABNORMALLY = 3,
    CONNECT_TIMEOUT = 4,
    CONNECT_TLS = 5,
    CONNECT_REFUSED = 6,
    CONNECT_INTERRUPTED = 130,          /* as shells tell SIGINT */
    CONNECT_READER_GONE = 128 + SIGPIPE /* as the shell tells it */
};

typedef struct connect_options {
    char *header_texts[CONNECT_HEADERS_MAX];
    wring_header headers[CONNECT_HEADERS_MAX]; /* views of the texts */
    size_t header_count;
    char *subprotocols[CONNECT_SUBPROTOCOLS_MAX];
    size_t subprotocol_count;
    char *origin;
    char *ca;
    char *cert;
    char *key;
    char *proxy;
    char *source;
    char *backend;
    wring_backend backend_wanted;
    int binary;
    int json;
    int json_input;
    int one;
    int insecure;
    int http2;
    int verbose;
    int no_proxy;
    uint32_t timeout_ms;
    uint32_t linger_ms;
    uint32_t ping_ms;
    uint32_t pong_timeout_ms;
    uint32_t reconnect_ms;
    uint64_t message_bytes_max;
    char *url;
} connect_options;

typedef struct connect_talk {
    const connect_options *options;
    connect_output output;
    int wake[2];         /* a byte: something changed */
    int input;           /* lines to send: standard input, or what the editor gives */
    bool shows_person;   /* standard input and error are a terminal: say how it goes */
    bool shows_terminal; /* output is a terminal: what comes must not drive it */
    bool shows_arrows;   /* a person types and reads at it: mark what was received */
    bool colours;
    bool input_failed; /* a line was refused or standard input cannot be read; it was told */
    bool out_of_time;  /* --one --linger: no message came */
    bool output_stuck; /* ended by a signal while standard output was blocked */
    bool lingers;      /* waits for one more message, since ... */
    int64_t lingers_from_ms;
    unsigned lingers_after; /* ... so many came, in ... */
    wring_ref lingers_in;   /* ... this session */
    atomic_bool quits;      /* by a signal */
    atomic_bool closing;    /* the session was asked to close, with ... */
    uint16_t own_code;      /* ... written before `closing` is set */
    char own_reason[WRING_CONTROL_PAYLOAD_MAX + 1];
    size_t own_reason_len;
    _Atomic wring_ref session;
    atomic_bool open;
    atomic_bool closed;
    atomic_uint messages;    /* that came */
    atomic_bool input_ended; /* each further message is worth a wake */
    atomic_bool asked;       /* the worker was asked whether all is sent */
    atomic_bool sent_all;    /* ... and it is */

    /* the worker's until `closed` */
    wring_result result;
    uint16_t close_code;
    bool was_open;
    bool closed_by_peer;
    char close_reason[WRING_CONTROL_PAYLOAD_MAX + 1];
    size_t close_reason_len;
    char text[320];

    /* the main thread's */
    char complaint[320]; /* the last one about the input */
    int code;            /* the verdict on the session and the input: exit code and sentence */
    char why[320];       /* "": nothing is to be told */
    bool why_told;       /* it stands on standard error already */
} connect_talk;

/** How long the session goes on when the input has ended; -1: for ever.   Thread: any. */
int connect_linger_ms(const connect_options *options);

/** Wakes the main thread.   Thread: any. */
void connect_wake(connect_talk *talk);

/* ---- connect_session.c ----------------------------------------------------------------------- */

/** Its opts are the connect_talk. */
extern const wring_handler connect_handler;
void connect_on_status(wring_client *client, const wring_client_report *report, void *opts);

void connect_on_handshake(wring_client *client, bool sent, wring_bytes bytes, void *opts);

/** Asks the worker whether everything is sent; the answer is `sent_all` and a wake. */
void connect_ask(connect_talk *talk, wring_client *client);

/** Lets a session that connect_output_put has paused read on.  Thread: the output's. */
void connect_read_on(void *talk);

/* ---- connect_show.c: each puts a whole record into the output; thread: any ------------------- */

/** Control characters, C0 and C1, are written out: a server's text must not move the cursor or
 *  retitle the window.  @param text  `bytes` are UTF-8; else every byte beyond ASCII is written out
 *  @param indent  what a newline is followed by */
void connect_tame(FILE *to, wring_bytes bytes, bool text, const char *indent);

/** "wring: ..." on standard error, about the input.   Thread: the main one. */
void connect_complain(connect_talk *talk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** True when the queue is full: the session should be read no further. */
bool connect_show_message(connect_talk *talk, const wring_message *message);
void connect_show_control(connect_talk *talk, const wring_message *message);
/** -v: the request as it was sent, credentials hidden; or what came that was no answer. */
void connect_show_handshake(connect_talk *talk, bool sent, wring_bytes bytes);
/** -v: the answer that refused: status line, headers, and as much of the body as was kept. */
void connect_show_refusal(connect_talk *talk, const wring_http_answer *answer);
void connect_show_open(connect_talk *talk, const wring_request *request);
void connect_show_end(connect_talk *talk, const wring_end *end);
/** For a person: with what it was closed, in order. */
void connect_show_closed(connect_talk *talk);
void connect_show_failure(connect_talk *talk, const char *text);
void connect_show_waiting(connect_talk *talk, const char *text, uint32_t delay_ms);

/** "the server closed with 1012 (service_restart) come back later"; of the answer to a close of
 *  ours, "the server answered our close with ...". */
void connect_close_text(const connect_talk *talk, uint16_t code, char *out, size_t cap);

/* ---- connect_verdict.c ----------------------------------------------------------------------- */

/** The client is closed: sets the exit code and tells how it ended, except on standard error. */
void connect_judge(connect_talk *talk);

/* ---- connect_converse.c ---------------------------------------------------------------------- */

/** Until the client is closed and the output is written.
 *  @param signals  a signalfd of those that end it, and at a terminal of SIGWINCH and SIGTSTP */
void connect_converse(connect_talk *talk, wring_client *client, int signals);

#endif
