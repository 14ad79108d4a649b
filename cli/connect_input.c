/* SPDX-License-Identifier: Apache-2.0
 *
 * See connect_input.h. Lines become messages, with --binary blocks, with --json-input objects.
 */
#include "cli/connect_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536

/* The longest line without --max-message. */
#define LINE_MAX_DEFAULT (UINT64_C(64) << 20)

/* ---- refusing -------------------------------------------------------------------------------- */

/* Nothing more is taken from the input, and the command will end with an error. */
static void input_fail(connect_talk *talk, connect_input *input) {
    talk->input_failed = true;
    input->end = true;
    input->len = 0;
    input->seen = 0;
}

/* A person may type the next line; a script must not go on as if nothing had happened. */
static void line_refuse(connect_talk *talk, connect_input *input, const char *why) {
    connect_complain(talk, "line %zu of the input was not sent: %s", input->line, why);
    if (!talk->shows_person) {
        input_fail(talk, input);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Waits for room in the worker's mailbox rather than lose a message. */
static bool message_send(connect_input *input, wring_client *client, wring_opcode opcode,
                         wring_bytes payload) {
    const wring_frame frame = {opcode, 0, WRING_COMPRESS_DEFAULT, payload};
    wring_result result;
    while ((result = wring_client_send(client, &frame, 1)) == WRING_ERR_QUEUE_FULL) {
        usleep(1000);
    }
    input->unsent += payload.len + 16;
    return result == WRING_OK;
}

static bool object_send(connect_talk *talk, connect_input *input, wring_client *client,
                        wring_bytes line) {
    connect_action action;
    const char *why = NULL;
    bool sent = true;
    if (!connect_json_parse(line, &action, &why)) {
        line_refuse(talk, input, why);
    } else if (action.kind == CONNECT_ACTION_SEND) {
        sent =
            message_send(input, client, action.opcode, wring_bytes_of(action.payload, action.len));
    } else if (action.kind == CONNECT_ACTION_CLOSE && !input->closes) {
        input->closes = true;
        input->end = true;
        input->close = action;
        action.payload = NULL;
    }
    free(action.payload);
    return sent;
}

/* False: the session takes nothing now, and the line stays. */
static bool line_send(connect_talk *talk, connect_input *input, wring_client *client,
                      wring_bytes line) {
    const connect_options *o = talk->options;
    input->line++;
    bool sent = true;
    const bool edited = talk->input != STDIN_FILENO; /* the editor takes characters, not bytes */
    if ((edited || !o->binary || o->json_input) && !wring_text_is_valid(line)) {
        line_refuse(talk, input,
                    edited ? "it is not UTF-8; --binary sends bytes that come through a pipe"
                           : "it is not UTF-8; --binary sends bytes as they are");
    } else if (o->json_input) {
        sent = object_send(talk, input, client, line);
    } else {
        sent = message_send(input, client, o->binary ? WRING_BINARY : WRING_TEXT, line);
    }
    input->line -= !sent;
    return sent;
}

/* Length of the line at `at`, and how long its end is; false: it is not whole yet. */
static bool line_find(const connect_input *input, size_t at, size_t *len, size_t *end) {
    const size_t from = at > input->seen ? at : input->seen;
    const char *found = memchr(input->data + from, '\n', input->len - from);
    *len = (found == NULL ? input->len : (size_t)(found - input->data)) - at;
    *end = found != NULL;
    if (found != NULL && *len > 0 && found[-1] == '\r') {
        (*len)--;
        (*end)++;
    }
    return found != NULL || input->end;
}

static void lines_send(connect_talk *talk, connect_input *input, wring_client *client) {
    size_t at = 0;
    size_t len;
    size_t end;
    while (at < input->len && input->unsent <= CONNECT_UNSENT_MAX && !input->closes &&
           line_find(input, at, &len, &end) &&
           line_send(talk, input, client, wring_bytes_of(input->data + at, len))) {
        at += len + end;
    }
    if (at > input->len) { /* the input failed */
        return;
    }
    memmove(input->data, input->data + at, input->len - at);
    input->len -= at;
    input->seen = input->unsent > CONNECT_UNSENT_MAX ? 0 : input->len;
    if (input->closes) {
        input->len = 0;
    }
}

void connect_input_send(connect_talk *talk, connect_input *input, wring_client *client) {
    const connect_options *o = talk->options;
    if (input->len == 0) {
        return;
    }
    /* What a person types is lines, whatever they are sent as. */
    if (!o->binary || o->json_input || talk->shows_person) {
        lines_send(talk, input, client);
    } else if (message_send(input, client, WRING_BINARY, wring_bytes_of(input->data, input->len))) {
        input->len = 0;
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool room_make(connect_input *input) {
    if (input->cap - input->len >= BLOCK) {
        return true;
    }
    char *grown = realloc(input->data, input->cap * 2 + BLOCK);
    if (grown == NULL) {
        return false;
    }
    input->data = grown;
    input->cap = input->cap * 2 + BLOCK;
    return true;
}

void connect_input_read(connect_talk *talk, connect_input *input) {
    const uint64_t given = (uint64_t)talk->options->message_bytes_max;
    const uint64_t most = given == 0 ? LINE_MAX_DEFAULT : given;
    if (!room_make(input)) {
        connect_complain(talk, "out of memory for line %zu of the input", input->line + 1);
        input_fail(talk, input);
        return;
    }
    const ssize_t n = read(talk->input, input->data + input->len, BLOCK);
    if (n > 0) {
        input->len += (size_t)n;
    } else if (n == 0) {
        input->end = true;
    } else if (errno != EINTR && errno != EAGAIN) {
        connect_complain(talk, "cannot read standard input: %s", strerror(errno));
        input_fail(talk, input);
    }
    if (input->seen > most) {
        connect_complain(talk,
                         "line %zu of the input is longer than %llu bytes; --max-message allows "
                         "more, --binary sends blocks",
                         input->line + 1, (unsigned long long)most);
        input_fail(talk, input);
    }
}

void connect_input_deinit(connect_input *input) {
    free(input->data);
    free(input->close.payload);
}
