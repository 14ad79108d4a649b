/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a load run connects to (target.c, address.c), and whether this machine has enough for it.
 */
#ifndef WRING_LOAD_TARGET_H
#define WRING_LOAD_TARGET_H

#include "bench/load/load.h"
#include "io/backend.h"
#include "wring/url.h"

/** Where to connect to, and what to say there. */
typedef struct load_target {
    const wring__backend_ops
        *backend; /* names are looked up on it: set before the target is opened */
    wring_url url;
    char *url_text;
    char *host;
    char *authorization; /* of the URL's user and password; NULL: none */
    load_address address;
    load_address *sources;
    size_t source_count;
    char **requests; /* by topic: whole upgrade requests, the key to be filled in */
    size_t *request_lens;
    size_t *key_at;
    uint32_t topics;
} load_target;

/** How long one who waits for others does so. */
typedef struct load_patience {
    bool (*go_on)(void *arg); /* asked several times a second; false ends it */
    void *arg;
    wring_time_ns until;
} load_patience;

WRING_MUST_CHECK wring_result load_target_open(load_target *target, const load_config *config,
                                               const load_patience *patience, wring_error *error);
void load_target_close(load_target *target);

/** Are there ports, descriptors and memory enough? Raises the soft limit of descriptors. */
WRING_MUST_CHECK wring_result load_preflight(const load_config *config, const load_target *target,
                                             uint32_t threads, wring_error *error);

/** How many connections a run has. */
uint32_t load_config_connections(const load_config *config);
/** ... and threads: what was asked for, or half of the CPUs, or more for that many connections. */
uint32_t load_config_threads(const load_config *config);

/** address.c: sets `address` by `host` and the URL's port.
 *  Errors: WRING_ERR_ADDRESS when there is none, or patience ended. */
WRING_MUST_CHECK wring_result load_address_find(load_target *target, const load_patience *patience,
                                                wring_error *error);

#endif
