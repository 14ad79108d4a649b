/* SPDX-License-Identifier: Apache-2.0
 *
 * How a session of `wring connect` is judged: the exit code, the sentence for people, and the last
 * event of --json. What went wrong with the output is judged in connect.c, because nothing can be
 * told there any more. Thread: the main one, once the client is closed.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/connect.h"

/* In order: a code that says so; or the code of our own close, which the server has repeated. */
static bool is_in_order(const connect_talk *talk) {
    switch (talk->close_code) {
    case WRING_CLOSE_NORMAL:
    case WRING_CLOSE_GOING_AWAY:
    case WRING_CLOSE_NO_STATUS:
        return talk->result == WRING_OK;
    default:
        return talk->result == WRING_OK && !talk->closed_by_peer &&
               talk->close_code == talk->own_code;
    }
}

static int say(connect_talk *talk, int code, const char *why) {
    (void)snprintf(talk->why, sizeof talk->why, "%s", why);
    return code;
}

/* No session, or one that broke. */
static int judge_failure(connect_talk *talk) {
    const wring_result result = talk->result;
    if (result == WRING_ERR_CLOSED && atomic_load(&talk->quits)) { /* there was none to close */
        return talk->was_open
                   ? CLI_OK
                   : say(talk, CONNECT_INTERRUPTED, "ended by a signal before a session was open");
    }
    (void)say(talk, CLI_OK, talk->text);
    if (talk->was_open) {
        return CONNECT_CLOSED_ABNORMALLY;
    }
    if (result == WRING_ERR_TIMEOUT) {
        return CONNECT_TIMEOUT;
    }
    if (result <= WRING_ERR_TLS_CERTIFICATE_EXPIRED && result >= WRING_ERR_TLS_TRUNCATED) {
        return CONNECT_TLS;
    }
    const bool is_the_server = result == WRING_ERR_TOO_MANY_HEADERS || /* of its answer */
                               result == WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG ||
                               result == WRING_ERR_PEER_NO_CONNECT_PROTOCOL;
    return is_the_server || wring_result_class(result) == WRING_CLASS_PEER ? CONNECT_REFUSED
                                                                           : CLI_FAILED;
}

static int judge_session(connect_talk *talk) {
    char text[sizeof talk->why];
    if (talk->out_of_time) {
        (void)snprintf(text, sizeof text, "no message came within %u ms after the input (--linger)",
                       talk->options->linger_ms);
        return say(talk, CONNECT_TIMEOUT, text);
    }
    if (is_in_order(talk)) {
        return CLI_OK;
    }
    if (talk->result != WRING_OK) {
        return judge_failure(talk);
    }
    connect_close_text(talk, talk->close_code, text, sizeof text);
    return say(talk, CONNECT_CLOSED_ABNORMALLY, text);
}

void connect_judge(connect_talk *talk) {
    talk->code = judge_session(talk);
    if (talk->code == CLI_OK && talk->input_failed) {
        talk->why_told = true;
        talk->code = say(talk, CLI_FAILED, talk->complaint);
    }
    if (is_in_order(talk)) {
        connect_show_closed(talk);
    }
    if (talk->code != CLI_OK) {
        connect_show_failure(talk, talk->why);
    }
}
