/* SPDX-License-Identifier: Apache-2.0
 *
 * From a name to the one address that all connections are dialled to. A name server may be silent
 * and so may an address: nothing here waits longer than its caller's patience lasts.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/engine.h"
#include "client/resolve.h"

#define LOOK_NS (50 * WRING_NS_PER_MS)
/* The next address is tried beside those that have not answered in that time (RFC 8305 5). */
#define NEXT_NS (250 * WRING_NS_PER_MS)

static bool goes_on(const load_patience *patience) {
    return patience->go_on(patience->arg);
}

/* ---- the name -------------------------------------------------------------------------------- */

typedef struct answer {
    wring__addresses addresses;
    wring_error error;
    bool is_there;
} answer;

static void resolved(void *owner, const wring__addresses *addresses, const wring_error *error) {
    answer *a = owner;
    a->addresses = *addresses;
    a->error = *error;
    a->is_there = true;
}

static void worker_mail(wring__worker *worker, const wring__mail *mail) {
    (void)worker; /* nobody sends any */
    (void)mail;
}

static const wring__worker_ops worker_ops = {.name = "load resolver", .mail = worker_mail};

/* Until the answer is there or patience ends; then until nothing is under way. */
static wring_result worker_drive(wring__worker *worker, wring__resolve *resolve, const answer *a,
                                 const load_patience *patience) {
    wring_result result = WRING_OK;
    while (result == WRING_OK && !a->is_there && goes_on(patience) &&
           load_clock_now() < patience->until) {
        result = wring__worker_turn(worker, load_clock_now() + LOOK_NS);
    }
    if (!a->is_there) {
        wring__resolve_cancel(resolve);
    }
    while (result == WRING_OK && !wring__worker_is_quiet(worker)) {
        result = wring__worker_turn(worker, load_clock_now() + LOOK_NS);
    }
    return result;
}

static wring_result resolve(const load_target *target, const load_patience *patience, answer *a,
                            wring_error *error) {
    const wring__worker_config config = {
        .backend = target->backend,
        .backend_config = {.entries = 64,
                           .buffer_count = 8,
                           .buffer_size = 4096,
                           .direct_sockets = WRING__DIRECT_NONE},
        .ops = &worker_ops,
    };
    wring__worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "out of memory");
    }
    wring_result result = wring__worker_init(worker, &config, error);
    if (result == WRING_OK) {
        wring__resolve *lookup = NULL;
        result = wring__resolve_start(worker, target->host, target->url.port, resolved, a, &lookup);
        if (result == WRING_OK) {
            result = worker_drive(worker, lookup, a, patience);
        }
        wring__worker_deinit(worker);
        if (result != WRING_OK) {
            (void)wring_error_set(error, result, 0, "cannot resolve '%s': %s", target->host,
                                  wring_result_text(result));
        }
    }
    free(worker);
    return result;
}

static wring_result impatient(const load_target *target, const load_patience *patience,
                              const char *what, wring_error *error) {
    if (!goes_on(patience)) {
        return wring_error_set(error, WRING_ERR_ADDRESS, 0,
                               "ended before it was known which address of '%s' answers",
                               target->host);
    }
    return wring_error_set(error, WRING_ERR_ADDRESS, 0, "%s '%s' in time (see --connect-timeout)",
                           what, target->host);
}

static wring_result addresses_of(const load_target *target, const load_patience *patience,
                                 wring__addresses *out, wring_error *error) {
    answer a = {.is_there = false};
    if (wring__address_parse(target->host, target->url.port, &out->list[0])) {
        out->count = 1;
        return WRING_OK;
    }
    const wring_result result = resolve(target, patience, &a, error);
    if (result != WRING_OK) {
        return result;
    }
    if (!a.is_there) {
        return impatient(target, patience, "no name server answered for", error);
    }
    if (a.error.code != WRING_OK) {
        return wring_error_set(error, a.error.code, 0, "cannot resolve '%s': %s", target->host,
                               a.error.text);
    }
    *out = a.addresses;
    wring__addresses_interleave(out);
    return WRING_OK;
}

/* ---- which of its addresses answers ---------------------------------------------------------- */

/* Dials that were begun: one for each address, in order. */
typedef struct race {
    const wring__addresses *addresses;
    struct pollfd dials[WRING__ADDRESSES_MAX]; /* fd < 0: failed */
    uint32_t begun;
    uint32_t failed;
    wring_time_ns next_at;
} race;

static bool dial_begin(struct pollfd *dial, const wring__address *address) {
    const int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *dial = (struct pollfd){.fd = fd, .events = POLLOUT};
    if (fd >= 0 && connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS) {
        close(fd);
        dial->fd = -1;
    }
    return dial->fd >= 0;
}

static void race_begin_next(race *r, wring_time_ns now) {
    while (r->begun < r->addresses->count && (now >= r->next_at || r->failed == r->begun)) {
        r->next_at = now + NEXT_NS;
        if (!dial_begin(&r->dials[r->begun], &r->addresses->list[r->begun])) {
            r->failed++;
        }
        r->begun++;
    }
}

static bool dial_is_connected(const struct pollfd *dial) {
    int code = 0;
    socklen_t len = sizeof code;
    return getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code == 0;
}

/* The one that has connected; NULL when none has yet. */
static const wring__address *race_look(race *r) {
    if (poll(r->dials, r->begun, (int)(LOOK_NS / WRING_NS_PER_MS)) <= 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < r->begun; i++) {
        struct pollfd *dial = &r->dials[i];
        if (dial->fd < 0 || dial->revents == 0) {
            continue;
        }
        if (dial_is_connected(dial)) {
            return &r->addresses->list[i];
        }
        close(dial->fd);
        dial->fd = -1;
        r->failed++;
    }
    return NULL;
}

/* When all refuse, the first: the run says why. NULL when patience ended before that. */
static const wring__address *first_to_answer(const wring__addresses *addresses,
                                             const load_patience *patience) {
    race r = {.addresses = addresses};
    const wring__address *found = NULL;
    while (found == NULL && r.failed < addresses->count && goes_on(patience) &&
           load_clock_now() < patience->until) {
        race_begin_next(&r, load_clock_now());
        found = race_look(&r);
    }
    for (uint32_t i = 0; i < r.begun; i++) {
        if (r.dials[i].fd >= 0) {
            close(r.dials[i].fd);
        }
    }
    return r.failed == addresses->count ? &addresses->list[0] : found;
}

/* Of one address no question is asked, so that a server sees only the connections of the run. */
wring_result load_address_find(load_target *target, const load_patience *patience,
                               wring_error *error) {
    wring__addresses addresses = {.count = 0};
    const wring_result result = addresses_of(target, patience, &addresses, error);
    if (result != WRING_OK) {
        return result;
    }
    const wring__address *chosen = &addresses.list[0];
    if (addresses.count > 1) {
        chosen = first_to_answer(&addresses, patience);
    }
    if (chosen == NULL) {
        return impatient(target, patience, "no address answered of", error);
    }
    memcpy(&target->address, &chosen->any, chosen->len);
    target->address.len = chosen->len;
    return WRING_OK;
}
