/* SPDX-License-Identifier: Apache-2.0
 *
 * seam --backend uring|uring-plain|epoll|sim [--case NAME] [--seeds N] [--seed N] [--list]
 *
 * Each case runs with few short receive buffers, with many, and with turns that look for
 * completions before they sleep. Where a backend can, the bytes of many receives lie back to back
 * in the many. The simulated world runs every seed.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/seam/seam.h"

#define SKIP  77
#define USAGE 2
/* A wake or completion that is lost leaves a turn that waits for ever: the suite ends then. */
#define WATCHDOG_S 540

struct seam_backend {
    const char *name;
    const wring__backend_ops *ops;
    uint32_t direct_sockets;
};

static const struct seam_backend backends[] = {
    {"uring", &wring__backend_uring, 0},
    {"uring-plain", &wring__backend_uring, WRING__DIRECT_NONE},
    {"epoll", &wring__backend_epoll, 0},
    {"sim", &wring__backend_sim, 0},
};

struct variant {
    const char *name;
    uint32_t count; /* of receive buffers */
    uint32_t size;
    uint32_t busy_poll_us;
};
static const struct variant of_kernel[] = {
    {"few", 16, 2048, 0}, {"runs", 64, 0, 0}, {"busy", 64, 0, 50}, {0}};
static const struct variant of_sim[] = {{"few", 4, 300, 0}, {"more", 8, 1000, 0}, {0}};

struct options {
    const struct seam_backend *backend;
    const char *only;
    uint64_t first;
    uint64_t seeds;
    bool lists;
};

static bool backend_is_sim(const struct seam_backend *backend) {
    return backend->ops == &wring__backend_sim;
}

/* ---- one case -------------------------------------------------------------------------------- */

static int case_run(const struct options *options, const seam_case *it, const struct variant *with,
                    uint64_t seed) {
    static seam world;
    seam_config config = {.ops = options->backend->ops,
                          .seed = seed,
                          .buffer_count = with->count,
                          .buffer_size = with->size,
                          .busy_poll_us = with->busy_poll_us,
                          .direct_sockets = options->backend->direct_sockets};
    if (config.direct_sockets == 0) {
        config.direct_sockets = it->direct_sockets;
    }
    (void)snprintf(seam_where, sizeof seam_where, "%s, case %s, buffers %s, seed %llu",
                   options->backend->name, it->name, with->name, (unsigned long long)seed);
    if (!seam_open(&world, &config)) {
        return SKIP;
    }
    it->run(&world);
    seam_close(&world);
    return 0;
}

/* What changes the limits of its process has one of its own. */
static int child_run(const struct options *options, const seam_case *it, const struct variant *with,
                     uint64_t seed) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _exit(case_run(options, it, with, seed));
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int seeds_run(const struct options *options, const seam_case *it) {
    const bool simulated = backend_is_sim(options->backend);
    const struct variant *variants = simulated ? of_sim : of_kernel;
    const uint64_t end = options->first + (simulated ? options->seeds : 1);
    int result = 0;
    for (uint64_t seed = options->first; seed < end && result == 0; seed++) {
        for (size_t i = 0; variants[i].name != NULL && result == 0; i++) {
            result = it->in_child ? child_run(options, it, &variants[i], seed)
                                  : case_run(options, it, &variants[i], seed);
        }
    }
    return result;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int one(const struct options *options, const seam_case *it) {
    if (backend_is_sim(options->backend) && it->not_simulated != NULL) {
        printf("%-32s left out: %s\n", it->name, it->not_simulated);
        return 0;
    }
    if (options->lists) {
        printf("%s\n", it->name);
        return 0;
    }
    const wring_time_ns began = wring__backend_epoll.now(NULL);
    const int result = seeds_run(options, it);
    const uint64_t ms = (wring__backend_epoll.now(NULL) - began) / WRING_NS_PER_MS;
    printf("%-32s %s %llu ms\n", it->name, result == 0 ? "ok" : "not ok", (unsigned long long)ms);
    (void)fflush(stdout);
    return result;
}

/* A backend that cannot be opened for the first case is not to be had; later it is a fault. */
static int all(const struct options *options) {
    seam_cases (*const folders[])(void) = {seam_cases_accept, seam_cases_recv, seam_cases_send,
                                           seam_cases_cancel, seam_cases_end,  seam_cases_connect,
                                           seam_cases_turn,   seam_cases_poll, seam_cases_race};
    int result = 0;
    size_t found = 0;
    for (size_t i = 0; i < WRING_ARRAY_LEN(folders) && result == 0; i++) {
        const seam_cases cases = folders[i]();
        for (size_t j = 0; j < cases.count && result == 0; j++) {
            if (options->only == NULL || strcmp(options->only, cases.list[j].name) == 0) {
                result = one(options, &cases.list[j]);
                result = result == SKIP && found > 0 ? 1 : result;
                found++;
            }
        }
    }
    return found == 0 ? USAGE : result;
}

static const struct seam_backend *backend_find(const char *name) {
    for (size_t i = 0; i < WRING_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i].name, name) == 0) {
            return &backends[i];
        }
    }
    return NULL;
}

static bool options_read(int argc, char **argv, struct options *out) {
    *out = (struct options){.first = 1, .seeds = 200};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--list") == 0) {
            out->lists = true;
            continue;
        }
        if (strcmp(argv[i], "--backend") == 0) {
            out->backend = backend_find(value);
        } else if (strcmp(argv[i], "--case") == 0) {
            out->only = value;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            out->seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            out->first = strtoull(value, NULL, 10);
            out->seeds = 1;
        } else {
            return false;
        }
        i++;
    }
    return out->backend != NULL;
}

int main(int argc, char **argv) {
    struct options options;
    if (!options_read(argc, argv, &options)) {
        fprintf(stderr, "usage: seam --backend uring|uring-plain|epoll|sim [--case NAME] "
                        "[--seeds N] [--seed N] [--list]\n");
        return USAGE;
    }
    (void)alarm(WATCHDOG_S);
    return all(&options);
}
