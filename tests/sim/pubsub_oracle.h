/* SPDX-License-Identifier: Apache-2.0
 *
 * What every session has to receive, known exactly. A worker handles its mail in the order in which
 * its mailbox took it, so a call that was answered with "taken" is written down with its position;
 * a session's stream is what follows from the positions, its subscriptions, its closes and its own
 * replies. What a mailbox refused is in no one's stream, and the refusal must have been told. A
 * publish passes by a worker that has no subscribers, and its publisher's own mailbox when that is
 * empty.
 */
#ifndef WRING_TESTS_SIM_PUBSUB_ORACLE_H
#define WRING_TESTS_SIM_PUBSUB_ORACLE_H

#include "tests/sim/sim_test.h"

#define ORACLE_WORKERS  4
#define ORACLE_TOPICS   3
#define ORACLE_SESSIONS 64
#define ORACLE_TEXT_MAX 800
#define ORACLE_NOBODY   UINT32_MAX

/* One thing a mailbox took. */
struct oracle_mail {
    enum { MAIL_OTHER, MAIL_PUBLISH, MAIL_SEND, MAIL_CLOSE, MAIL_STOP } kind;
    uint32_t session; /* SEND, CLOSE, STOP: whom it is for; PUBLISH: who must not get it */
    uint32_t topic;
    uint32_t first_message; /* SEND: `count` in a row */
    uint32_t count;
    bool closes; /* SEND: the list ends with a close frame */
    uint16_t code;
    uint64_t position; /* by oracle_took */
};

/* What the policy for slow peers may do to a stream. */
enum oracle_slack {
    ORACLE_EXACT,    /* nothing: the marks are never reached */
    ORACLE_GAPS,     /* messages may be missing */
    ORACLE_OVERTAKEN /* and published ones may be overtaken by those of other topics and replies */
};

void oracle_begin(sim_run *run, enum oracle_slack slack);
void oracle_end(void);

/* A new message: its number and its text, which nobody else has.
 * `topic`: ORACLE_TOPICS for one that is not published */
uint32_t oracle_message(uint32_t topic);
wring_bytes oracle_text(uint32_t message, char out[ORACLE_TEXT_MAX]);

/* Around a call that posts: which mailboxes took it, which refused, who got it without one.
 * `self`: the session in whose callback it is, or ORACLE_NOBODY for a foreign thread. */
void oracle_before(uint32_t self);
void oracle_after(wring_result result, const struct oracle_mail *mail);

/* What a session does in its own callbacks, at this moment of its worker. */
uint32_t oracle_session_begin(const wring_session *session);
void oracle_subscribe(uint32_t session, uint32_t topic, bool on);
void oracle_reply(uint32_t session, uint32_t message);
void oracle_close(uint32_t session, uint16_t code);
void oracle_session_end(uint32_t session);

uint32_t oracle_session_count(void);
wring_ref oracle_ref(uint32_t session); /* kept after its end: stale then */
bool oracle_is_closed(uint32_t session);
uint16_t oracle_close_code(uint32_t session);

/* The client of `session` received a message. */
void oracle_received(uint32_t session, wring_bytes text);
/* How many it has not received. */
uint32_t oracle_missing(uint32_t session);

#endif
