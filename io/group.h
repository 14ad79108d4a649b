/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads of a server or of a client pool, one worker each: how they start, are pinned, tell
 * that they are ready, drain and end is written here once. What a worker of a server has beside
 * that of a pool is opened and closed by the group's owner (wring__group_ops).
 *
 * Thread: create, start, drain, join and close on the owner's thread; `open` on the member's own.
 */
#ifndef WRING_IO_GROUP_H
#define WRING_IO_GROUP_H

#include <pthread.h>

#include "io/log.h"
#include "io/worker.h"

typedef struct wring__group wring__group;

/** Mail to the workers of a group; kinds from WRING__MAIL_GROUP_OWNER on are the owner's. */
enum {
    WRING__MAIL_DRAIN = WRING__MAIL_WORKER, /* value: ns it may take */
    WRING__MAIL_GROUP_OWNER
};

/** One worker and its thread. Embedded in the owner's struct beside the worker. */
typedef struct wring__member {
    wring__worker *worker;
    wring__group *group;
    pthread_t thread;
    uint32_t number;     /* 0 .. count - 1 */
    bool is_open;        /* ops->open succeeded and ops->close has not been called */
    bool is_running;     /* the thread was created and has not been joined */
    bool is_draining;    /* ends as soon as nothing is left on the worker */
    wring_result result; /* of ops->open */
    wring_error error;
} wring__member;

typedef struct wring__group_ops {
    /** On the member's own thread: makes its worker ready to turn. An error goes to member->error,
     *  and nothing is left open. */
    wring_result (*open)(wring__member *member);
    /** After every thread of the group has ended: the mail between workers of one group may still
     *  name any of them until then. */
    void (*close)(wring__member *member);
    /** On the member's own thread, once: the owner's part of draining. */
    void (*drain)(wring__member *member, wring_duration_ns longest);
} wring__group_ops;

struct wring__group {
    const wring__group_ops *ops;
    wring__backend_choice backend;
    wring_backend picked; /* AUTO: none yet, or one that only tests know */
    wring_error reason;   /* why that one */
    wring__member **members;
    uint32_t count;
    bool is_pinned;       /* one CPU a member */
    pthread_mutex_t lock; /* guards ready_count, while starting */
    pthread_cond_t ready;
    uint32_t ready_count;
};

/** Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__group_init(wring__group *group, const wring__group_ops *ops,
                                                uint32_t count);
/** Ends the program when it is called from a callback on a worker of the group: `function` would
 *  wait for the thread that it was called on.
 *  @param cure  for the sentence, its end */
void wring__group_refuse_inside(const wring__group *group, const char *function, const char *cure);

/** A zeroed group is legal. Every thread must have been joined. */
void wring__group_deinit(wring__group *group);

/** Before the start: member `number` is this one, and drives that worker. */
void wring__group_place(wring__group *group, uint32_t number, wring__member *member,
                        wring__worker *worker);

/** Before each start: which backend. One that is driven stays.
 *  Errors: those of wring_backend_pick. */
WRING_MUST_CHECK wring_result wring__group_pick(wring__group *group, wring_backend wanted,
                                                wring_error *error);

/** To the log, when an automatic choice did not come to io_uring. */
void wring__group_tell_fallback(const wring__group *group, wring_backend wanted, wring__log *log);

/** Starts the threads and waits until each worker is open. With a driven backend no thread is
 *  started: the workers are opened on the calling thread, whose owner drives their turns.
 *  Errors: those of ops->open; WRING_ERR_SYSTEM. Threads that did start still run: drain, join and
 *  close them. */
WRING_MUST_CHECK wring_result wring__group_start(wring__group *group, wring_error *error);

/** Asks every open member to end, within `longest`.  Thread: any but a member's. */
void wring__group_drain(wring__group *group, wring_duration_ns longest);

/** The owner's worker_ops.mail got WRING__MAIL_DRAIN: begins to drain, once. */
void wring__member_drain(wring__member *member, const wring__mail *mail);

/** Waits for every thread, then closes every open member. */
void wring__group_join(wring__group *group);

/** Not open, or draining with nothing left on its worker. */
bool wring__member_is_done(const wring__member *member);
bool wring__group_is_done(const wring__group *group);

#endif
