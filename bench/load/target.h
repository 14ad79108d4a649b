/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a load run connects to (target.c, address.c), and whether this machine has enough for it.
 */
#ifndef WRING_LOAD_TARGET_H
#define WRING_LOAD_TARGET_H

#include "bench/load/load.h"
#include "io/backend.h"
#include "wring/url.h"

typedef struct load_fields load_fields;

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
    load_fields *fields; /* HTTP/2, in place of the requests */
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

/** What a request is made of.  Own: the caller frees; NULL when memory is out. */
char *load_target_path(const load_target *target, uint32_t topic);
char *load_target_host(const load_target *target, const load_config *config);
/** config->upgrade, and what the URL adds to it. `list` has room for one more than its headers. */
wring_upgrade_offer load_target_offer(const load_target *target, const load_config *config,
                                      wring_header *list);

/** fields.c: sets target->fields.  Own: load_fields_free frees, also after an error. */
WRING_MUST_CHECK wring_result load_fields_make(load_target *target, const load_config *config,
                                               wring_error *error);
void load_fields_free(load_fields *fields); /* NULL is legal */
/** More would not fit into what the carrier takes. */
#define LOAD_FIELDS_MAX (WRING_HTTP_FIELDS_MAX + 8)
/** The fields of a request for the topic, written to `list`; borrowed from `fields`. */
wring_headers load_fields_of(const load_fields *fields, uint32_t topic,
                             wring_header list[LOAD_FIELDS_MAX]);

/** How many sessions a run has. */
uint32_t load_config_connections(const load_config *config);
/** ... and connections, of HTTP/1.1 or HTTP/2. */
uint32_t load_config_carriers(const load_config *config);
/** ... and threads: what was asked for, or half of the CPUs, or more for that many connections. */
uint32_t load_config_threads(const load_config *config);

/** address.c: sets `address` by `host` and the URL's port.
 *  Errors: WRING_ERR_ADDRESS when there is none, or patience ended. */
WRING_MUST_CHECK wring_result load_address_find(load_target *target, const load_patience *patience,
                                                wring_error *error);

#endif
