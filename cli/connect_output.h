/* SPDX-License-Identifier: Apache-2.0
 *
 * The output of `wring connect`: a bounded queue and the thread that writes it. Whoever has
 * something to show puts a record here and goes on, so that neither a pipe that nobody reads nor a
 * stopped terminal keeps the session or a signal waiting.
 */
#ifndef WRING_CLI_CONNECT_OUTPUT_H
#define WRING_CLI_CONNECT_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>

/* Bytes that wait: with more the session is read no further, with half of it again. */
#define CONNECT_OUTPUT_MAX (1 << 20)

struct connect_record;

typedef struct connect_output {
    pthread_t thread;
    pthread_mutex_t lock;
    struct connect_record *first;
    struct connect_record **last;
    size_t bytes;        /* of the records, the one that is being written included */
    bool paused;         /* the session, until half of the bytes are written */
    bool ending;         /* nothing more will be put */
    int ready;           /* eventfd: a record, the end, or a new size of the terminal */
    atomic_bool done;    /* all is written, and the thread touches nothing any more */
    atomic_bool resized; /* SIGWINCH; also after SIGCONT: draw again */
    atomic_int error;    /* errno of writing to standard output */

    void *owner;
    void (*read_on)(void *owner); /* a paused session may be read again */
    void (*changed)(void *owner); /* done, an error, or nothing waits */

    bool edits; /* at a terminal, with the editor; the rest is the editor's */
    int lines;  /* a pipe's end: what was typed */
    bool colours;
    struct termios terminal; /* as it was found */
} connect_output;

/** Starts the thread.
 *  @param edits  a person types: `*lines` becomes a descriptor to read the lines from, or -1 when
 *                no editor is built in or the terminal is a dumb one
 *  Errors: false, errno. */
bool connect_output_start(connect_output *output, bool edits, int *lines);

/** A record for descriptor 1 or 2: write it and give it to connect_output_put.   Own: give. */
FILE *connect_record_open(int descriptor);

/** Takes `record`. True when the session must be paused now: `read_on` comes later.
 *  @param may_pause  it is a message of a session that can be paused.   Thread: any. */
bool connect_output_put(connect_output *output, FILE *record, bool may_pause);

/** Nothing waits to be written.   Thread: any. */
bool connect_output_is_idle(connect_output *output);

/** The reader of standard output is gone: nothing more is written there. */
void connect_output_break(connect_output *output);

/** Nothing will be put any more: `done` and a `changed` follow when all is written. */
void connect_output_end(connect_output *output);

/** Ends the thread, which has nothing to write. */
void connect_output_abandon(connect_output *output);

/** The terminal as it was found, whatever the editor is about.   Thread: any. */
void connect_output_restore(const connect_output *output);

/** SIGTSTP: the terminal is given back, the process stops, and when it goes on draws again. */
void connect_output_suspend(connect_output *output);

/** SIGWINCH. */
void connect_output_resize(connect_output *output);

/* ---- between connect_output.c and connect_editor.c ------------------------------------------- */

/** Writes what waits; `ready` tells when there is more. False: the queue is empty for good. */
bool connect_output_write_some(connect_output *output);

/** The thread's main function at a terminal. */
void connect_editor_run(connect_output *output);

/** Is an editor built in, and can it drive this terminal? */
bool connect_editor_can_run(void);

#endif
