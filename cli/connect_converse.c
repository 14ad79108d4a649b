/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` on the main thread: it waits for input, signals and news of the session, and
 * decides when to end. It never writes, so that nothing keeps it waiting.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/connect_input.h"

/* How often the worker is asked whether all is sent. */
#define ASK_MS 2

/* After a signal the output is given so long to be taken. */
#define OUTPUT_GRACE_MS 1000

static void drain_pipe(int descriptor) {
    char bytes[64];
    const ssize_t ignored = read(descriptor, bytes, sizeof bytes);
    (void)ignored;
}

/* True when the command shall end. */
static bool signal_take(connect_talk *talk, int signals) {
    struct signalfd_siginfo info = {0};
    if (read(signals, &info, sizeof info) != sizeof info) {
        return false;
    }
    switch (info.ssi_signo) {
    case SIGWINCH:
        connect_output_resize(&talk->output);
        return false;
    case SIGTSTP:
        connect_output_suspend(&talk->output);
        return false;
    default:
        return true;
    }
}

/* ---- while the session lasts ----------------------------------------------------------------- */

/* Input is taken only while the session is open, so that nothing is lost to a reconnect. */
static bool may_read(const connect_talk *talk, const connect_input *input) {
    return atomic_load(&talk->open) && !input->end && input->unsent <= CONNECT_UNSENT_MAX;
}

int connect_linger_ms(const connect_options *options) {
    const uint32_t given = options->linger_ms;
    if (given == WRING_OFF || (given == CONNECT_LINGER_UNSET && options->one)) {
        return -1;
    }
    return given == CONNECT_LINGER_UNSET ? CONNECT_LINGER_MS : (int)given; /* <= INT32_MAX */
}

/* The input is over. In a script all of it is with the server by now, and its answers so far are
 * written. A person's Ctrl-D does not wait for that: the close goes out behind what is queued. */
static bool input_is_over(connect_talk *talk, const connect_input *input) {
    return input->end && input->len == 0 &&
           (talk->shows_person || (input->unsent == 0 && connect_output_is_idle(&talk->output)));
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is left of --linger; -1: for ever. In a script a message begins it anew; pongs, and what is
 * shown of them, only wake this thread. At a terminal no message does: a feed must not outlast
 * Ctrl-D. A new session, after a reconnect, begins it anew in both. */
static int linger_left(connect_talk *talk, const connect_input *input) {
    const int given = connect_linger_ms(talk->options);
    const int whole = given < 0 && talk->input_failed ? CONNECT_LINGER_MS : given;
    if (whole < 0 || !atomic_load(&talk->open) || !input_is_over(talk, input)) {
        return -1;
    }
    const unsigned messages = atomic_load(&talk->messages);
    const wring_ref session = atomic_load(&talk->session);
    const int64_t now = now_ms();
    if (!talk->lingers || talk->lingers_in != session ||
        (talk->lingers_after != messages && !talk->shows_person)) {
        talk->lingers = true;
        talk->lingers_after = messages;
        talk->lingers_in = session;
        talk->lingers_from_ms = now;
    }
    const int64_t left = talk->lingers_from_ms + whole - now;
    return left < 0 ? 0 : (int)left;
}

static bool must_ask(const connect_input *input) {
    return input->unsent > CONNECT_UNSENT_MAX || (input->end && input->unsent > 0);
}

static void input_step(connect_talk *talk, connect_input *input, wring_client *client, bool ready) {
    if (ready) {
        connect_input_read(talk, input);
    }
    if (input->end) {
        atomic_store(&talk->input_ended, true);
    }
    if (atomic_exchange(&talk->sent_all, false)) {
        input->unsent = 0;
    }
    if (atomic_load(&talk->open) && input->unsent <= CONNECT_UNSENT_MAX) {
        connect_input_send(talk, input, client);
    }
}

/* A reader that has gone is known before there is something to write. */
static int output_watched(const connect_talk *talk) {
    struct stat status;
    const bool can_break = fstat(STDOUT_FILENO, &status) == 0 &&
                           (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
    return can_break && atomic_load(&talk->output.error) == 0 ? STDOUT_FILENO : -1;
}

/* True when it is time to close the session. */
static bool step(connect_talk *talk, connect_input *input, wring_client *client, int signals) {
    struct pollfd polled[] = {{signals, POLLIN, 0},
                              {talk->wake[0], POLLIN, 0},
                              {may_read(talk, input) ? talk->input : -1, POLLIN, 0},
                              {output_watched(talk), 0, 0}};
    const bool asks = must_ask(input);
    if (asks) {
        connect_ask(talk, client);
    }
    const int linger = linger_left(talk, input);
    (void)poll(polled, 4, asks ? ASK_MS : linger);
    const bool lingered = linger >= 0 && linger_left(talk, input) == 0;
    if (polled[1].revents != 0) {
        drain_pipe(talk->wake[0]);
    }
    if (polled[0].revents != 0 && signal_take(talk, signals)) {
        atomic_store(&talk->quits, true);
    }
    if ((polled[3].revents & POLLERR) != 0) {
        connect_output_break(&talk->output);
    }
    input_step(talk, input, client, polled[2].revents != 0);
    const bool answered = talk->options->one && atomic_load(&talk->messages) > 0;
    talk->out_of_time = lingered && talk->options->one && !answered && !talk->input_failed;
    const bool closes = input->closes && input->unsent == 0;
    return answered || lingered || closes || atomic_load(&talk->quits) ||
           atomic_load(&talk->output.error) != 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Waits for news; a second signal ends the process. False: nothing came in time. */
static bool await_news(connect_talk *talk, int signals, int timeout_ms) {
    struct pollfd polled[] = {{signals, POLLIN, 0}, {talk->wake[0], POLLIN, 0}};
    const int ready = poll(polled, 2, timeout_ms);
    if (polled[1].revents != 0) {
        drain_pipe(talk->wake[0]);
    }
    if (polled[0].revents != 0 && signal_take(talk, signals) &&
        atomic_exchange(&talk->quits, true)) {
        connect_output_restore(&talk->output);
        _exit(CONNECT_INTERRUPTED);
    }
    return ready != 0;
}

/* A pipe that nobody reads holds the command until a signal, as it holds every program. */
static void await_output(connect_talk *talk, int signals) {
    bool in_time = true;
    connect_output_end(&talk->output);
    while (in_time && !atomic_load(&talk->output.done)) {
        in_time = await_news(talk, signals, atomic_load(&talk->quits) ? OUTPUT_GRACE_MS : -1);
    }
    talk->output_stuck = !atomic_load(&talk->output.done);
    if (talk->output_stuck) {
        connect_output_restore(&talk->output);
    } else {
        pthread_join(talk->output.thread, NULL);
    }
}

static void session_close(connect_talk *talk, const connect_input *input, wring_client *client) {
    talk->own_code = input->closes ? input->close.close_code : WRING_CLOSE_NORMAL;
    talk->own_reason_len = input->close.len; /* at most WRING_CLOSE_REASON_MAX */
    if (input->close.len > 0) {
        memcpy(talk->own_reason, input->close.payload, input->close.len);
    }
    atomic_store(&talk->closing, true);
    wring_client_close(client, talk->own_code,
                       wring_bytes_of(talk->own_reason, talk->own_reason_len));
}

void connect_converse(connect_talk *talk, wring_client *client, int signals) {
    connect_input input = {0};
    bool over = false;
    while (!over && !atomic_load(&talk->closed)) {
        over = step(talk, &input, client, signals);
    }
    if (over) {
        session_close(talk, &input, client);
    }
    while (!atomic_load(&talk->closed)) {
        (void)await_news(talk, signals, -1);
    }
    connect_judge(talk);
    await_output(talk, signals);
    connect_input_deinit(&input);
}
