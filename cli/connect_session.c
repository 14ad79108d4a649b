/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` on the client's worker: what happens to the session goes into the output.
 */
#include <string.h>
#include <unistd.h>

#include "cli/connect.h"

/* What wring_ref_post brings. */
enum { INFO_IS_ALL_SENT, INFO_READ_ON };

void connect_wake(connect_talk *talk) {
    const ssize_t ignored = write(talk->wake[1], "", 1);
    (void)ignored;
}

static connect_talk *talk_of(wring_session *session) {
    return *(connect_talk **)wring_session_user(session);
}

/* ---- the handler ----------------------------------------------------------------------------- */

static void keep_reason(connect_talk *talk, wring_bytes reason) {
    const size_t len = reason.len < sizeof talk->close_reason ? reason.len : 0;
    if (len > 0) {
        memcpy(talk->close_reason, reason.data, len);
    }
    talk->close_reason[len] = 0;
    talk->close_reason_len = len;
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    connect_talk *talk = opts;
    *(connect_talk **)wring_session_user(session) = talk;
    keep_reason(talk, wring_str(""));
    atomic_store(&talk->session, wring_session_ref(session));
    connect_show_open(talk, request);
    return WRING_CONTINUE;
}

static void take_message(connect_talk *talk, wring_session *session, const wring_message *message) {
    if (talk->options->one && atomic_load(&talk->messages) > 0) {
        return; /* the close is on its way */
    }
    if (atomic_load(&talk->quits) && !connect_output_is_idle(&talk->output)) {
        return; /* nobody waits for it any more, and nobody takes what is there */
    }
    if (connect_show_message(talk, message)) {
        wring_session_pause(session);
    }
    atomic_fetch_add(&talk->messages, 1);
    if (talk->options->one || atomic_load(&talk->input_ended)) {
        connect_wake(talk);
    }
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    connect_talk *talk = talk_of(session);
    switch (message->opcode) {
    case WRING_TEXT:
    case WRING_BINARY:
        take_message(talk, session, message);
        break;
    case WRING_CLOSE:
        keep_reason(talk, message->payload);
        connect_show_control(talk, message);
        break;
    case WRING_PING:
    case WRING_PONG:
        connect_show_control(talk, message);
        break;
    case WRING_CONTINUATION:
        break;
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    connect_talk *talk = talk_of(session);
    talk->closed_by_peer = end->by_peer;
    connect_show_end(talk, end);
}

/* ---- questions to the worker ----------------------------------------------------------------- */

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    connect_talk *talk = info->data;
    if (info->tag == INFO_READ_ON) {
        wring_session_resume(session);
        return WRING_CONTINUE;
    }
    if (wring_session_queued_bytes(session) == 0) {
        atomic_store(&talk->sent_all, true);
        connect_wake(talk);
    }
    atomic_store(&talk->asked, false);
    return WRING_CONTINUE;
}

static void info_lost(const wring_info *info) {
    connect_talk *talk = info->data;
    atomic_store(&talk->asked, false);
}

void connect_ask(connect_talk *talk, wring_client *client) {
    const wring_info info = {INFO_IS_ALL_SENT, talk};
    if (!atomic_exchange(&talk->asked, true) &&
        wring_ref_post(wring_client_ref(client), &info, info_lost) != WRING_OK) {
        atomic_store(&talk->asked, false); /* asked again a moment later */
    }
}

void connect_read_on(void *opts) {
    connect_talk *talk = opts;
    const wring_info info = {INFO_READ_ON, talk};
    while (wring_ref_post(atomic_load(&talk->session), &info, NULL) == WRING_ERR_QUEUE_FULL) {
        usleep(1000);
    }
}

const wring_handler connect_handler = {.struct_size = sizeof connect_handler,
                                       .name = "connect",
                                       .state_size = sizeof(connect_talk *),
                                       .init = on_init,
                                       .handle_in = on_message,
                                       .handle_info = on_info,
                                       .terminate = on_terminate};

/* ---- the client ------------------------------------------------------------------------------ */

static void on_waiting(connect_talk *talk, const wring_client_report *report) {
    char text[320];
    if (report->result == WRING_OK && report->close_code != 0) { /* closed, and in order */
        connect_close_text(talk, report->close_code, text, sizeof text);
        connect_show_waiting(talk, text, report->delay_ms);
    } else {
        connect_show_waiting(talk, report->text, report->delay_ms);
    }
}

static void on_closed(connect_talk *talk, const wring_client_report *report) {
    talk->result = report->result;
    talk->close_code = report->close_code;
    const bool unanswered = report->result == WRING_ERR_TIMEOUT && talk->was_open &&
                            atomic_load(&talk->closing) && !atomic_load(&talk->open);
    (void)snprintf(talk->text, sizeof talk->text, "%s",
                   unanswered ? "the server did not answer our close in time (5 s)" : report->text);
    atomic_store(&talk->closed, true);
}

void connect_on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    connect_talk *talk = opts;
    atomic_store(&talk->open, report->status == WRING_CLIENT_OPEN);
    talk->was_open = talk->was_open || report->status == WRING_CLIENT_OPEN;
    if (report->answer != NULL && talk->options->verbose) {
        connect_show_refusal(talk, report->answer);
    }
    if (report->status == WRING_CLIENT_WAITING) {
        on_waiting(talk, report);
    } else if (report->status == WRING_CLIENT_CLOSED) {
        on_closed(talk, report);
    }
    connect_wake(talk);
}

void connect_on_handshake(wring_client *client, bool sent, wring_bytes bytes, void *opts) {
    (void)client;
    connect_show_handshake(opts, sent, bytes);
}
