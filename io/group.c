/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of worker threads. See group.h.
 */
#include "io/group.h"

#include "io/tls.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one thread ------------------------------------------------------------------------------ */

static void pin(uint32_t number) {
    cpu_set_t allowed;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    unsigned skip = number % (unsigned)CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &allowed) && skip-- == 0) {
            CPU_ZERO(&one);
            CPU_SET((size_t)cpu, &one);
            /* Not being pinned costs speed, not correctness. */
            (void)sched_setaffinity(0, sizeof one, &one); /* 0: the calling thread */
            return;
        }
    }
}

bool wring__member_is_done(const wring__member *member) {
    return !member->is_open || (member->is_draining && wring__worker_is_quiet(member->worker));
}

static void member_open(wring__member *member) {
    WRING_ASSERT(!member->is_open && member->worker != NULL);
    member->is_draining = false;
    member->result = member->group->ops->open(member);
    member->is_open = member->result == WRING_OK;
}

static void tell_ready(wring__group *group) {
    pthread_mutex_lock(&group->lock);
    group->ready_count++;
    pthread_cond_signal(&group->ready);
    pthread_mutex_unlock(&group->lock);
}

/* Also between the turns of its worker, when those are over and their callbacks run. */
static _Thread_local const wring__group *group_of_thread;

static void *member_run(void *arg) {
    wring__member *member = arg;
    group_of_thread = member->group;
    if (member->group->is_pinned) {
        pin(member->number);
    }
    member_open(member);
    tell_ready(member->group);
    if (member->result != WRING_OK) {
        return NULL;
    }
    while (!wring__member_is_done(member)) {
        if (wring__worker_turn(member->worker, WRING_TIME_NEVER) != WRING_OK) {
            char text[128];
            (void)snprintf(text, sizeof text, "the %s backend broke: %s",
                           member->worker->backend->ops->name, strerror(errno));
            wring__panic(text, __FILE__, __LINE__, __func__);
        }
    }
    wring__worker_leave(member->worker);
    return NULL;
}

void wring__member_drain(wring__member *member, const wring__mail *mail) {
    WRING_ASSERT(mail->kind == WRING__MAIL_DRAIN);
    if (!member->is_draining) {
        member->is_draining = true;
        member->group->ops->drain(member, mail->value);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

wring_result wring__group_init(wring__group *group, const wring__group_ops *ops, uint32_t count) {
    wring__tls_library_init();
    memset(group, 0, sizeof *group);
    group->members = calloc(count, sizeof(wring__member *));
    if (group->members == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    group->ops = ops;
    group->count = count;
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->ready, NULL);
    return WRING_OK;
}

void wring__group_refuse_inside(const wring__group *group, const char *function, const char *cure) {
    bool is_inside = group_of_thread == group;
    for (uint32_t i = 0; i < group->count && wring__worker_current != NULL; i++) {
        is_inside |= group->members[i]->worker == wring__worker_current; /* one that is driven */
    }
    if (is_inside) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "%s was called from a callback on a worker of its own: %s", function, cure);
        wring__panic(text, __FILE__, __LINE__, __func__);
    }
}

void wring__group_deinit(wring__group *group) {
    if (group->members == NULL) {
        return;
    }
    pthread_cond_destroy(&group->ready);
    pthread_mutex_destroy(&group->lock);
    free(group->members);
    memset(group, 0, sizeof *group);
}

void wring__group_place(wring__group *group, uint32_t number, wring__member *member,
                        wring__worker *worker) {
    WRING_ASSERT(number < group->count && group->members[number] == NULL);
    *member = (wring__member){.worker = worker, .group = group, .number = number};
    group->members[number] = member;
}

static wring_result first_error(const wring__group *group, wring_error *error) {
    for (uint32_t i = 0; i < group->count; i++) {
        const wring__member *member = group->members[i];
        if (member->result != WRING_OK) {
            if (error != NULL) {
                *error = member->error;
            }
            return member->result;
        }
    }
    return WRING_OK;
}

static wring_result threads_start(wring__group *group, wring_error *error) {
    uint32_t created = 0;
    int failed = 0;
    group->ready_count = 0;
    while (created < group->count && failed == 0) {
        wring__member *member = group->members[created];
        member->result = WRING_OK; /* of an earlier start */
        failed = pthread_create(&member->thread, NULL, member_run, member);
        member->is_running = failed == 0;
        created += failed == 0;
    }
    pthread_mutex_lock(&group->lock);
    while (group->ready_count < created) {
        pthread_cond_wait(&group->ready, &group->lock);
    }
    pthread_mutex_unlock(&group->lock);
    if (failed != 0) {
        return wring_error_set(
            error, WRING_ERR_SYSTEM, failed,
            "cannot start thread %u of %u: %s. Is the limit of processes (ulimit "
            "-u) or the cgroup's pids.max reached?",
            created + 1, group->count, strerror(failed));
    }
    return first_error(group, error);
}

wring_result wring__group_pick(wring__group *group, wring_backend wanted, wring_error *error) {
    if (group->backend.is_driven) {
        return WRING_OK;
    }
    wring_backend picked = WRING_BACKEND_AUTO;
    wring_error reason;
    const wring_result result = wring_backend_pick(wanted, &picked, &reason);
    if (result == WRING_OK) {
        group->backend.ops = wring__backend_ops_of(picked);
        group->picked = picked;
        group->reason = reason;
    } else if (error != NULL) {
        *error = reason;
    }
    return result;
}

void wring__group_tell_fallback(const wring__group *group, wring_backend wanted, wring__log *log) {
    wring__log_entry entry;
    if (wanted == WRING_BACKEND_AUTO && group->picked == WRING_BACKEND_EPOLL &&
        wring__log_begin(&entry, log, WRING__LOG_BACKEND_FALLBACK)) {
        wring__log_text(&entry, "backend", wring_backend_name(group->picked));
        wring__log_write(&entry, "%s", group->reason.text);
    }
}

wring_result wring__group_start(wring__group *group, wring_error *error) {
    WRING_ASSERT(group->backend.ops != NULL && group->count > 0);
    if (!group->backend.is_driven) {
        return threads_start(group, error);
    }
    wring_result result = WRING_OK;
    for (uint32_t i = 0; i < group->count && result == WRING_OK; i++) {
        member_open(group->members[i]);
        result = first_error(group, error);
    }
    return result;
}

void wring__group_drain(wring__group *group, wring_duration_ns longest) {
    const wring__mail mail = {.kind = WRING__MAIL_DRAIN, .value = longest};
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->members[i]->is_open) {
            /* A full mailbox empties with the next turn; this one must arrive. */
            while (wring__worker_post(group->members[i]->worker, &mail) != WRING_OK) {
                sched_yield();
            }
        }
    }
}

void wring__group_join(wring__group *group) {
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->members[i]->is_running) {
            pthread_join(group->members[i]->thread, NULL);
            group->members[i]->is_running = false;
        }
    }
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->members[i]->is_open) {
            group->members[i]->is_open = false;
            group->ops->close(group->members[i]);
        }
    }
}

bool wring__group_is_done(const wring__group *group) {
    for (uint32_t i = 0; i < group->count; i++) {
        if (!wring__member_is_done(group->members[i])) {
            return false;
        }
    }
    return true;
}
