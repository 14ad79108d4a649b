/* SPDX-License-Identifier: Apache-2.0
 *
 * Which backend: names, and the choice. See wring/backend.h.
 */
#include "io/backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static const char *const names[] = {
    [WRING_BACKEND_AUTO] = "auto",
    [WRING_BACKEND_URING] = "uring",
    [WRING_BACKEND_EPOLL] = "epoll",
};

const char *wring_backend_name(wring_backend backend) {
    return (unsigned)backend < WRING_ARRAY_LEN(names) ? names[backend] : "";
}

wring_result wring_backend_parse(const char *name, wring_backend *out) {
    for (size_t i = 0; i < WRING_ARRAY_LEN(names); i++) {
        if (name != NULL && strcmp(name, names[i]) == 0) {
            *out = (wring_backend)i;
            return WRING_OK;
        }
    }
    return WRING_ERR_INVALID_ARGUMENT;
}

struct trial {
    wring_result result;
    wring_error error;
};

/* A small one: whether it can be had, and why not. */
static void *uring_try_here(void *arg) {
    struct trial *trial = arg;
    const wring__backend_config config = {
        .entries = 8, .buffer_count = 8, .buffer_size = 4096, .direct_sockets = WRING__DIRECT_NONE};
    wring__backend *backend = NULL;
    trial->result = wring__backend_uring.open(&config, &backend, &trial->error);
    if (trial->result == WRING_OK) {
        backend->ops->close(backend);
    }
    return NULL;
}

/* On a thread of its own: a ring that was closed wakes the thread that had it some milliseconds
 * later, and whatever that one sleeps in then (sigwaitinfo, epoll_wait) ends with EINTR. */
static wring_result uring_try(wring_error *error) {
    struct trial trial = {.result = WRING_ERR_BACKEND};
    pthread_t thread;
    if (pthread_create(&thread, NULL, uring_try_here, &trial) == 0) {
        pthread_join(thread, NULL);
    } else {
        (void)uring_try_here(&trial);
    }
    *error = trial.error;
    return trial.result;
}

/* Forbidden, unknown or lacking something. What a restart or a higher limit cures (no memory, no
 * descriptors) is an error: a server that is slower on some days is worse than one that says so. */
static bool is_about_the_system(int system_errno) {
    switch (system_errno) {
    case EPERM:
    case EACCES:
    case ENOSYS:
    case EOPNOTSUPP:
    case EINVAL:
        return true;
    default:
        return false;
    }
}

static wring_result pick_auto(wring_backend *out, wring_error *reason) {
    wring_error failed;
    const wring_result result = uring_try(&failed);
    *out = WRING_BACKEND_URING;
    if (result == WRING_OK) {
        (void)wring_error_set(reason, WRING_OK, 0, "io_uring is to be had here");
    } else if (result == WRING_ERR_BACKEND && is_about_the_system(failed.system_errno)) {
        *out = WRING_BACKEND_EPOLL;
        (void)wring_error_set(reason, WRING_OK, failed.system_errno, "%s", failed.text);
    } else {
        *reason = failed;
        return result;
    }
    return WRING_OK;
}

static wring_result environment_read(wring_backend *wanted, wring_error *error) {
    const char *name = secure_getenv("WRING_BACKEND");
    if (name == NULL || name[0] == 0 || wring_backend_parse(name, wanted) == WRING_OK) {
        return WRING_OK;
    }
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                           "the environment's WRING_BACKEND is '%s': there are auto, uring and "
                           "epoll",
                           name);
}

wring_result wring_backend_pick(wring_backend wanted, wring_backend *out, wring_error *reason) {
    wring_error unused;
    reason = reason == NULL ? &unused : reason;
    if (wring_backend_name(wanted)[0] == 0) {
        return wring_error_set(reason, WRING_ERR_INVALID_CONFIG, 0,
                               "backend is none of wring_backend");
    }
    const char *by = "it was asked for";
    if (wanted == WRING_BACKEND_AUTO) {
        by = "the environment's WRING_BACKEND names it";
        const wring_result result = environment_read(&wanted, reason);
        if (result != WRING_OK) {
            return result;
        }
    }
    if (wanted == WRING_BACKEND_AUTO) {
        return pick_auto(out, reason);
    }
    wring_result result = WRING_OK;
    if (wanted == WRING_BACKEND_URING) {
        wring_error failed;
        result = uring_try(&failed);
        if (result != WRING_OK) {
            return wring_error_set(reason, result, failed.system_errno,
                                   "%s; %s, and auto or epoll would run without", failed.text, by);
        }
    }
    if (result == WRING_OK) {
        *out = wanted;
        (void)wring_error_set(reason, WRING_OK, 0, "%s", by);
    }
    return result;
}

const wring__backend_ops *wring__backend_ops_of(wring_backend backend) {
    switch (backend) {
    case WRING_BACKEND_URING:
        return &wring__backend_uring;
    case WRING_BACKEND_EPOLL:
        return &wring__backend_epoll;
    case WRING_BACKEND_AUTO:
        break;
    }
    WRING_UNREACHABLE();
}
