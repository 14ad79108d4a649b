/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of a client: the offer in its request, and what the server made of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"

static void pool_destroy(void *pool) {
    wring_deflate_destroy(pool);
}

/* The contexts of all who live on this worker. NULL when memory is out. */
static wring_deflate *pool_of(wring__worker *worker) {
    if (worker->attachment.data == NULL) {
        worker->attachment.data = wring__deflate_pool_create(NULL);
        worker->attachment.destroy = pool_destroy;
    }
    return worker->attachment.data;
}

/* What was offered, from the configuration and whether takeover had to be left out. */
static wring_deflate_config offered(const wring_client *client, bool no_takeover) {
    wring_deflate_config config = *client->settings.config.deflate;
    config.server_context_takeover &= !no_takeover;
    config.client_context_takeover &= !no_takeover;
    return config;
}

wring_result wring__client_deflate_offer(wring_client *client, bool *no_takeover, char **out) {
    const wring_client_config *config = &client->settings.config;
    wring_deflate *pool = pool_of(client->worker);
    if (pool == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring_deflate_config fits = wring__deflate_offer_config(pool, config->deflate);
    *no_takeover = !fits.server_context_takeover && !fits.client_context_takeover;
    char offer[WRING_DEFLATE_TEXT_MAX];
    (void)wring_deflate_offer(&fits, offer);
    const char *others = config->extensions == NULL ? "" : config->extensions;
    const size_t cap = strlen(others) + sizeof offer + 2;
    *out = malloc(cap);
    if (*out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    (void)snprintf(*out, cap, "%s%s%s", others, others[0] == 0 ? "" : ", ", offer);
    return WRING_OK;
}

wring_result wring__client_deflate_answer(wring_client *client, wring_headers headers,
                                          bool no_takeover, wring_session *session,
                                          wring_error *error) {
    const wring_client_config *config = &client->settings.config;
    const wring_deflate_config offer = offered(client, no_takeover);
    wring_deflate_params params;
    bool accepted;
    wring_result result = wring_deflate_parse_response(headers, &offer, config->extensions != NULL,
                                                       &params, &accepted, error);
    if (result != WRING_OK || !accepted) {
        return result;
    }
    wring_deflate *pool = pool_of(client->worker);
    wring__deflate *deflate =
        pool == NULL ? NULL
                     : wring__deflate_acquire(pool, &offer, &params, WRING_ROLE_CLIENT, false);
    if (deflate == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for compression");
    }
    wring__session_use_deflate(session, deflate);
    return WRING_OK;
}
