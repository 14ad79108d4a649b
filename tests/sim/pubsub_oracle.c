/* SPDX-License-Identifier: Apache-2.0
 *
 * See pubsub_oracle.h.
 */
#include "tests/sim/pubsub_oracle.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES_MAX 65536

struct list { /* of message numbers */
    uint32_t *items;
    uint32_t count;
    uint32_t cap;
};

static struct {
    sim_run *run;
    enum oracle_slack slack;
    uint32_t messages;
    uint8_t topics[MESSAGES_MAX]; /* of each message */
    struct log {
        struct oracle_mail *mails;
        uint32_t count;
        uint32_t cap;
        uint64_t tail_before;
        uint64_t full_before;
    } logs[ORACLE_WORKERS];
    struct oracle_session {
        wring_ref ref;
        uint32_t worker;
        uint32_t log_next; /* of its worker's log: what is before is in `expected` */
        bool subscribed[ORACLE_TOPICS];
        bool closed; /* its close frame is queued, or it is over: nothing more is sent */
        bool over;
        uint16_t close_code;
        struct list expected;
        uint32_t received;
        uint32_t next[ORACLE_TOPICS + 1]; /* in `expected`: what may come at the earliest */
    } sessions[ORACLE_SESSIONS];
    uint32_t session_count;
    uint32_t here; /* the worker that calls, or ORACLE_NOBODY */
} oracle;

void oracle_begin(sim_run *run, enum oracle_slack slack) {
    oracle_end();
    oracle.run = run;
    oracle.slack = slack;
}

void oracle_end(void) {
    for (uint32_t i = 0; i < ORACLE_WORKERS; i++) {
        free(oracle.logs[i].mails);
    }
    for (uint32_t i = 0; i < oracle.session_count; i++) {
        free(oracle.sessions[i].expected.items);
    }
    memset(&oracle, 0, sizeof oracle);
}

/* ---- messages -------------------------------------------------------------------------------- */

uint32_t oracle_message(uint32_t topic) {
    EXPECT(oracle.messages < MESSAGES_MAX);
    oracle.topics[oracle.messages] = (uint8_t)topic;
    return oracle.messages++;
}

/* The number, and padding of a length that follows from it: some are copied into the queue of each
 * subscriber, some shared by reference. */
wring_bytes oracle_text(uint32_t message, char out[ORACLE_TEXT_MAX]) {
    int len = snprintf(out, 16, "%u ", message);
    const uint32_t mixed = message * UINT32_C(2654435761);
    const uint32_t pad = mixed >> 29 == 0 ? 250 + (mixed >> 8) % 400 : (mixed >> 8) % 40;
    memset(out + len, 'a' + (int)(message % 26), pad);
    return wring_bytes_of(out, (size_t)len + pad);
}

static void expect(struct oracle_session *session, uint32_t message) {
    struct list *list = &session->expected;
    if (session->closed) {
        return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->items = realloc(list->items, list->cap * sizeof *list->items);
        EXPECT(list->items != NULL);
    }
    list->items[list->count++] = message;
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

static wring__mailbox *mailbox(uint32_t worker) {
    return &oracle.run->server->workers[worker].io.mailbox;
}

static uint32_t worker_count(void) {
    return oracle.run->server->config.workers;
}

static void log_append(struct log *log, const struct oracle_mail *mail, uint64_t position) {
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 256 : log->cap * 2;
        log->mails = realloc(log->mails, log->cap * sizeof *log->mails);
        EXPECT(log->mails != NULL);
    }
    log->mails[log->count] = *mail;
    log->mails[log->count++].position = position;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void close_now(struct oracle_session *session, uint16_t code) {
    if (!session->closed) {
        session->closed = true;
        session->close_code = code;
    }
}

static void apply(uint32_t index, const struct oracle_mail *mail) {
    struct oracle_session *session = &oracle.sessions[index];
    if (mail->kind == MAIL_PUBLISH) {
        if (session->subscribed[mail->topic] && mail->session != index) {
            expect(session, mail->first_message);
        }
        return;
    }
    if (mail->session != index) {
        return;
    }
    if (mail->kind == MAIL_SEND) {
        for (uint32_t i = 0; i < mail->count; i++) {
            expect(session, mail->first_message + i);
        }
    }
    if (mail->kind == MAIL_CLOSE || mail->kind == MAIL_STOP || mail->closes) {
        close_now(session, mail->code);
    }
}

/* Brings a session up to what its worker has taken out of its mailbox by now. */
static struct oracle_session *up_to_date(uint32_t index) {
    struct oracle_session *session = &oracle.sessions[index];
    EXPECT(index < oracle.session_count);
    if (session->over) {
        return session;
    }
    const struct log *log = &oracle.logs[session->worker];
    const uint64_t head = mailbox(session->worker)->head;
    while (session->log_next < log->count && log->mails[session->log_next].position < head) {
        apply(index, &log->mails[session->log_next++]);
    }
    return session;
}

/* ---- posting --------------------------------------------------------------------------------- */

void oracle_before(uint32_t self) {
    oracle.here = self == ORACLE_NOBODY ? ORACLE_NOBODY : oracle.sessions[self].worker;
    for (uint32_t i = 0; i < worker_count(); i++) {
        oracle.logs[i].tail_before = atomic_load(&mailbox(i)->tail);
        oracle.logs[i].full_before = atomic_load(&mailbox(i)->full);
    }
}

/* A publish that this worker's mailbox neither took nor refused: its publisher delivered it, or
 * nobody here follows the topic. */
static void passed_by(uint32_t worker, const struct oracle_mail *mail) {
    const bool direct = worker == oracle.here && mailbox(worker)->head == mailbox(worker)->tail;
    const bool up = atomic_load(&oracle.run->server->workers[worker].address) != 0;
    for (uint32_t i = 0; i < oracle.session_count; i++) {
        if (oracle.sessions[i].worker == worker && !oracle.sessions[i].over) {
            EXPECT(direct || !up || !oracle.sessions[i].subscribed[mail->topic]);
            (void)up_to_date(i);
            apply(i, mail);
        }
    }
}

static bool any_is_up(void) {
    bool up = false;
    for (uint32_t i = 0; i < worker_count(); i++) {
        up = up || atomic_load(&oracle.run->server->workers[i].address) != 0;
    }
    return up;
}

void oracle_after(wring_result result, const struct oracle_mail *mail) {
    uint32_t took = 0;
    uint64_t refused = 0;
    const bool is_publish = mail->kind == MAIL_PUBLISH;
    for (uint32_t i = 0; i < worker_count(); i++) {
        struct log *log = &oracle.logs[i];
        const uint64_t more = atomic_load(&mailbox(i)->tail) - log->tail_before;
        const uint64_t full = atomic_load(&mailbox(i)->full) - log->full_before;
        EXPECT(more + full <= 1); /* at most one item a worker */
        took += more == 1;
        refused += full;
        if (more == 1) {
            log_append(log, mail, log->tail_before);
        } else if (is_publish && full == 0) {
            passed_by(i, mail);
        }
    }
    EXPECT(is_publish || took + refused <= 1);
    /* a session at its hard mark is sent nothing more, and the sender is told */
    const bool full = mail->kind == MAIL_SEND && oracle.slack != ORACLE_EXACT;
    if (full && result == WRING_ERR_QUEUE_FULL && took == 0) {
        return;
    }
    const bool reached = is_publish ? any_is_up() : took > 0;
    EXPECT(result == (refused > 0 ? WRING_ERR_QUEUE_FULL : reached ? WRING_OK : WRING_ERR_CLOSED));
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static uint32_t worker_of(const wring_session *session) {
    const wring_loop loop = wring_session_loop(session);
    uint32_t worker = 0;
    while (wring_server_loop(oracle.run->server, worker) != loop) {
        EXPECT(++worker < worker_count());
    }
    return worker;
}

uint32_t oracle_session_begin(const wring_session *owner) {
    EXPECT(oracle.session_count < ORACLE_SESSIONS);
    const uint32_t index = oracle.session_count++;
    struct oracle_session *session = &oracle.sessions[index];
    session->ref = wring_session_ref(owner);
    session->worker = worker_of(owner);
    (void)up_to_date(index); /* nothing before this moment was for it */
    EXPECT(session->expected.count == 0);
    return index;
}

void oracle_subscribe(uint32_t session, uint32_t topic, bool on) {
    up_to_date(session)->subscribed[topic] = on;
}

void oracle_reply(uint32_t session, uint32_t message) {
    expect(up_to_date(session), message);
}

void oracle_close(uint32_t session, uint16_t code) {
    close_now(up_to_date(session), code);
}

void oracle_session_end(uint32_t index) {
    struct oracle_session *session = up_to_date(index);
    EXPECT(!session->over);
    close_now(session, 0); /* 0: not by a wish of the application's */
    session->over = true;
}

uint32_t oracle_session_count(void) {
    return oracle.session_count;
}

wring_ref oracle_ref(uint32_t session) {
    return oracle.sessions[session].ref;
}

bool oracle_is_closed(uint32_t session) {
    return up_to_date(session)->closed;
}

uint16_t oracle_close_code(uint32_t session) {
    return oracle.sessions[session].close_code;
}

/* ---- the client's side ----------------------------------------------------------------------- */

/* Messages of one topic keep their order, and all do unless the policy lets some overtake. */
static uint32_t order_of(uint32_t message) {
    return oracle.slack == ORACLE_OVERTAKEN ? oracle.topics[message] : 0;
}

void oracle_received(uint32_t index, wring_bytes text) {
    char want[ORACLE_TEXT_MAX];
    struct oracle_session *session = up_to_date(index);
    const uint32_t message = (uint32_t)strtoul((const char *)text.data, NULL, 10);
    EXPECT(message < oracle.messages);
    EXPECT(wring_bytes_equal(text, oracle_text(message, want)));
    uint32_t *next = &session->next[order_of(message)];
    while (oracle.slack != ORACLE_EXACT && *next < session->expected.count &&
           session->expected.items[*next] != message) {
        (*next)++; /* one that was dropped, or of another order */
    }
    EXPECT(*next < session->expected.count); /* nothing twice, nothing that was not sent to it */
    EXPECT(session->expected.items[*next] == message);
    (*next)++;
    session->received++;
}

uint32_t oracle_missing(uint32_t index) {
    const struct oracle_session *session = up_to_date(index);
    return session->expected.count - session->received;
}
