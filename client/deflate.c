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

/* The plain offer: as the server likes, as browsers offer it. What the other offer asks of the
 * server, some servers refuse by the whole upgrade. RFC 7692 5.1: several offers, by preference. */
static wring_deflate_config plain_of(const wring_deflate_config *config) {
    wring_deflate_config plain = *config;
    plain.server_context_takeover = true;
    plain.server_max_window_bits = 15;
    return plain;
}

/* What an answer may say. Each answer to the first offer is one to the plain one as well. */
static wring_deflate_config answerable(const wring_client *client, wring__deflate_offered offered) {
    wring_deflate_config config = *client->settings.config.deflate;
    config.server_context_takeover &= !offered.no_takeover;
    config.client_context_takeover &= !offered.no_takeover;
    return offered.plain ? plain_of(&config) : config;
}

/* The plain offer has to have room in the budget, since the server's window is kept then. */
static bool plain_is_offered(wring_deflate *pool, const wring_deflate_config *first) {
    const wring_deflate_config plain = plain_of(first);
    return (!first->server_context_takeover || first->server_max_window_bits < 15) &&
           wring__deflate_offer_config(pool, &plain).server_context_takeover;
}

wring_result wring__client_deflate_offer(wring_client *client, wring__deflate_offered *offered,
                                         char **out) {
    const wring_client_config *config = &client->settings.config;
    wring_deflate *pool = pool_of(client->worker);
    if (pool == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring_deflate_config fits = wring__deflate_offer_config(pool, config->deflate);
    const wring_deflate_config plain = plain_of(&fits);
    char first[WRING_DEFLATE_TEXT_MAX];
    char second[WRING_DEFLATE_TEXT_MAX] = "";
    offered->no_takeover = !fits.server_context_takeover && !fits.client_context_takeover;
    (void)wring_deflate_offer(&fits, first);
    const bool was_cut = fits.server_context_takeover != config->deflate->server_context_takeover ||
                         fits.client_context_takeover != config->deflate->client_context_takeover;
    offered->plain = !was_cut && plain_is_offered(pool, &fits);
    if (offered->plain) {
        (void)wring_deflate_offer(&plain, second);
    }
    const char *others = config->extensions == NULL ? "" : config->extensions;
    const size_t cap = strlen(others) + sizeof first + sizeof second + 4;
    *out = malloc(cap);
    if (*out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    (void)snprintf(*out, cap, "%s%s%s%s%s", others, others[0] == 0 ? "" : ", ", first,
                   second[0] == 0 ? "" : ", ", second);
    return WRING_OK;
}

wring_result wring__client_deflate_answer(wring_client *client, wring_headers headers,
                                          wring__deflate_offered offered, wring_machine *machine,
                                          wring_error *error) {
    const wring_client_config *config = &client->settings.config;
    const wring_deflate_config offer = answerable(client, offered);
    wring_deflate_params params;
    bool accepted;
    wring_result result = wring_deflate_response_parse(headers, &offer, config->extensions != NULL,
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
    wring__machine_use_deflate(machine, deflate);
    return WRING_OK;
}
