/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` on the main thread: standard input to messages, no faster than the server takes
 * them, and when it is time to end.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/connect.h"

#define BLOCK 65536

/* Handed to the worker and not known to be sent: then the input waits in its pipe. */
#define UNSENT_MAX (1 << 20)

/* How often the worker is asked meanwhile. */
#define ASK_MS 2

/* Input that is not yet a message. */
struct input {
    char *data;
    size_t len;
    size_t cap;
    size_t seen; /* no newline up to here */
    size_t unsent;
    bool end;
};

/* Waits for room in the worker's mailbox rather than lose a message. */
static bool send_message(struct input *input, wring_client *client, wring_opcode opcode,
                         wring_bytes payload) {
    const wring_frame frame = {opcode, 0, payload};
    wring_result result;
    while ((result = wring_client_send(client, &frame, 1)) == WRING_ERR_QUEUE_FULL) {
        usleep(1000);
    }
    input->unsent += payload.len + 16;
    return result == WRING_OK;
}

/* Length of the first line, `newline` tells whether one ends it; false: there is none yet. */
static bool line_find(struct input *input, size_t at, size_t *len, bool *newline) {
    const size_t from = at > input->seen ? at : input->seen;
    const char *found = memchr(input->data + from, '\n', input->len - from);
    *newline = found != NULL;
    *len = (found == NULL ? input->len : (size_t)(found - input->data)) - at;
    return found != NULL || input->end;
}

static size_t lines_send(struct input *input, wring_client *client) {
    size_t at = 0;
    size_t len;
    bool newline;
    while (at < input->len && input->unsent <= UNSENT_MAX && line_find(input, at, &len, &newline) &&
           send_message(input, client, WRING_TEXT, wring_bytes_of(input->data + at, len))) {
        at += len + newline;
    }
    return at;
}

static void input_send(struct input *input, wring_client *client, bool binary) {
    size_t at = 0;
    if (input->len == 0) {
        return;
    }
    if (!binary) {
        at = lines_send(input, client);
    } else if (send_message(input, client, WRING_BINARY, wring_bytes_of(input->data, input->len))) {
        at = input->len;
    }
    memmove(input->data, input->data + at, input->len - at);
    input->len -= at;
    input->seen = input->unsent > UNSENT_MAX ? 0 : input->len;
}

static bool input_read(struct input *input) {
    if (input->cap - input->len < BLOCK) {
        char *grown = realloc(input->data, input->cap * 2 + BLOCK);
        if (grown == NULL) {
            return false;
        }
        input->data = grown;
        input->cap = input->cap * 2 + BLOCK;
    }
    const ssize_t n = read(STDIN_FILENO, input->data + input->len, BLOCK);
    if (n > 0) {
        input->len += (size_t)n;
    }
    input->end = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
    return true;
}

static void drain_pipe(int descriptor) {
    char bytes[64];
    const ssize_t ignored = read(descriptor, bytes, sizeof bytes);
    (void)ignored;
}

/* Input is taken only while the session is open, so that nothing is lost to a reconnect. */
static bool may_read(const connect_talk *talk, const struct input *input) {
    return atomic_load(&talk->open) && !input->end && input->unsent <= UNSENT_MAX;
}

/* All of the input is with the server; now for its answers. */
static bool is_said(const connect_talk *talk, const struct input *input) {
    return atomic_load(&talk->open) && input->end && input->len == 0 && input->unsent == 0;
}

static int patience_ms(connect_talk *talk, const struct input *input, wring_client *client) {
    if (input->unsent > UNSENT_MAX || (input->end && input->unsent > 0)) {
        connect_ask(talk, client);
        return ASK_MS;
    }
    return is_said(talk, input) && !talk->options->one ? (int)talk->options->linger_ms : -1;
}

static bool input_step(connect_talk *talk, struct input *input, wring_client *client, bool ready) {
    if (ready && !input_read(input)) {
        cli_complain("out of memory");
        return false;
    }
    if (input->end) {
        atomic_store(&talk->input_ended, true);
    }
    if (atomic_exchange(&talk->sent_all, false)) {
        input->unsent = 0;
    }
    if (atomic_load(&talk->open) && input->unsent <= UNSENT_MAX) {
        input_send(input, client, talk->options->binary != 0);
    }
    return true;
}

/* True when it is time to close the session. */
static bool step(connect_talk *talk, struct input *input, wring_client *client, int signals) {
    const bool reads = may_read(talk, input);
    struct pollfd polled[] = {
        {signals, POLLIN, 0}, {talk->wake[0], POLLIN, 0}, {reads ? STDIN_FILENO : -1, POLLIN, 0}};
    const bool said = is_said(talk, input);
    const int ready = poll(polled, 3, patience_ms(talk, input, client));
    if (polled[1].revents != 0) {
        drain_pipe(talk->wake[0]);
    }
    if (polled[0].revents != 0) {
        struct signalfd_siginfo taken; /* so that the next one is seen */
        const ssize_t ignored = read(signals, &taken, sizeof taken);
        (void)ignored;
    }
    const bool failed = !input_step(talk, input, client, polled[2].revents != 0);
    const bool answered = talk->options->one && atomic_load(&talk->answered);
    return failed || answered || (said && ready == 0) || polled[0].revents != 0;
}

/* The close handshake is under way; a second signal does not wait for it. */
static void await_close(connect_talk *talk, int signals) {
    struct pollfd polled[] = {{signals, POLLIN, 0}, {talk->wake[0], POLLIN, 0}};
    while (!atomic_load(&talk->closed)) {
        (void)poll(polled, 2, -1);
        if (polled[1].revents != 0) {
            drain_pipe(talk->wake[0]);
        }
        if (polled[0].revents != 0) {
            _exit(130);
        }
    }
}

void connect_converse(connect_talk *talk, wring_client *client, int signals) {
    struct input input = {0};
    bool over = false;
    while (!over && !atomic_load(&talk->closed)) {
        over = step(talk, &input, client, signals);
    }
    if (over) {
        wring_client_close(client, WRING_CLOSE_NORMAL, wring_str(""));
        await_close(talk, signals);
    }
    free(input.data);
}
