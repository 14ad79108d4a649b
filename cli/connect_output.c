/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of records and the thread that writes them; see connect_output.h.
 */
#include "cli/connect_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A record is a stream in memory until it is put; `stream` finds it again by itself. */
struct connect_record {
    struct connect_record *next;
    FILE *stream;
    char *data;
    size_t len;
    int descriptor;
};

/* What a record costs beside its text, so that empty messages are bounded too. */
#define RECORD_COST 64

/* Records between two looks at the keyboard. */
#define WRITES_MAX 64

/* ---- putting --------------------------------------------------------------------------------- */

/* The record of this thread that is open: records are not nested. */
static _Thread_local struct connect_record *open_record;

FILE *connect_record_open(int descriptor) {
    struct connect_record *record = calloc(1, sizeof *record);
    if (record == NULL) {
        abort(); /* the command cannot go on without 64 bytes */
    }
    record->descriptor = descriptor;
    record->stream = open_memstream(&record->data, &record->len);
    if (record->stream == NULL) {
        abort();
    }
    open_record = record;
    return record->stream;
}

static void ready_tell(connect_output *output) {
    const eventfd_t one = 1;
    (void)eventfd_write(output->ready, one);
}

bool connect_output_put(connect_output *output, FILE *stream, bool may_pause) {
    struct connect_record *record = open_record;
    open_record = NULL;
    (void)fclose(stream);
    pthread_mutex_lock(&output->lock);
    *output->last = record;
    output->last = &record->next;
    output->bytes += record->len + RECORD_COST;
    const bool pauses = may_pause && output->bytes > CONNECT_OUTPUT_MAX; /* twice is legal */
    output->paused = output->paused || pauses;
    pthread_mutex_unlock(&output->lock);
    ready_tell(output);
    return pauses;
}

bool connect_output_is_idle(connect_output *output) {
    pthread_mutex_lock(&output->lock);
    const bool idle = output->bytes == 0;
    pthread_mutex_unlock(&output->lock);
    return idle;
}

void connect_output_break(connect_output *output) {
    atomic_store(&output->error, EPIPE);
}

void connect_output_end(connect_output *output) {
    pthread_mutex_lock(&output->lock);
    output->ending = true;
    pthread_mutex_unlock(&output->lock);
    ready_tell(output);
}

/* ---- writing --------------------------------------------------------------------------------- */

static struct connect_record *record_take(connect_output *output, bool *ending) {
    pthread_mutex_lock(&output->lock);
    struct connect_record *record = output->first;
    if (record != NULL) {
        output->first = record->next;
        output->last = output->first == NULL ? &output->first : output->last;
    }
    *ending = output->ending;
    pthread_mutex_unlock(&output->lock);
    return record;
}

static void record_done(connect_output *output, struct connect_record *record) {
    pthread_mutex_lock(&output->lock);
    output->bytes -= record->len + RECORD_COST;
    const bool resumes = output->paused && output->bytes <= CONNECT_OUTPUT_MAX / 2;
    output->paused = output->paused && !resumes;
    const bool idle = output->bytes == 0;
    pthread_mutex_unlock(&output->lock);
    free(record->data);
    free(record);
    if (resumes) {
        output->read_on(output->owner);
    }
    if (idle) {
        output->changed(output->owner);
    }
}

/* Another process may have made the descriptor a non-blocking one. */
static void await_room(int descriptor) {
    struct pollfd polled = {descriptor, POLLOUT, 0};
    (void)poll(&polled, 1, -1);
}

static void record_write(connect_output *output, const struct connect_record *record) {
    size_t at = 0;
    while (at < record->len) {
        const ssize_t n = write(record->descriptor, record->data + at, record->len - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EAGAIN) {
            await_room(record->descriptor);
        } else if (errno != EINTR) {
            const int error = errno;
            if (record->descriptor == STDOUT_FILENO &&
                atomic_exchange(&output->error, error) == 0) {
                output->changed(output->owner);
            }
            return;
        }
    }
}

bool connect_output_write_some(connect_output *output) {
    for (unsigned i = 0; i < WRITES_MAX; i++) {
        bool ending;
        struct connect_record *record = record_take(output, &ending);
        if (record == NULL) {
            return !ending;
        }
        if (record->descriptor != STDOUT_FILENO || atomic_load(&output->error) == 0) {
            record_write(output, record);
        }
        record_done(output, record);
    }
    ready_tell(output); /* there may be more */
    return true;
}

static void plain_run(connect_output *output) {
    while (connect_output_write_some(output)) {
        eventfd_t ignored;
        (void)eventfd_read(output->ready, &ignored); /* blocks */
    }
}

static void *thread_main(void *opts) {
    connect_output *output = opts;
    if (output->edits) {
        connect_editor_run(output);
    } else {
        plain_run(output);
    }
    atomic_store(&output->done, true);
    output->changed(output->owner);
    return NULL;
}

bool connect_output_start(connect_output *output, bool edits, int *lines) {
    int ends[2] = {-1, -1};
    pthread_mutex_init(&output->lock, NULL);
    output->last = &output->first;
    output->ready = eventfd(0, EFD_CLOEXEC);
    if (output->ready < 0) {
        return false;
    }
    if (edits && connect_editor_can_run() && tcgetattr(STDIN_FILENO, &output->terminal) == 0 &&
        pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    *lines = ends[0];
    output->edits = ends[1] >= 0;
    output->lines = ends[1];
    const int error = pthread_create(&output->thread, NULL, thread_main, output);
    errno = error;
    return error == 0;
}

void connect_output_abandon(connect_output *output) {
    connect_output_end(output);
    pthread_join(output->thread, NULL);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

void connect_output_restore(const connect_output *output) {
    if (output->edits) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &output->terminal);
    }
}

void connect_output_suspend(connect_output *output) {
    struct termios editing;
    const bool known = tcgetattr(STDIN_FILENO, &editing) == 0;
    connect_output_restore(output);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    (void)raise(SIGTSTP); /* not SIGSTOP: nobody could resume a process without a shell */
    (void)pthread_sigmask(SIG_UNBLOCK, &stop, NULL); /* here all threads stop */
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
    if (known) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &editing);
    }
    connect_output_resize(output);
}

void connect_output_resize(connect_output *output) {
    atomic_store(&output->resized, true);
    ready_tell(output);
}
