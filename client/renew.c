/* SPDX-License-Identifier: Apache-2.0
 *
 * URL and headers from the application before each attempt, at once or later from another thread.
 * See wring_client_config.renew.
 */
#include <stdlib.h>

#include "client/client.h"
#include "core/sized.h"
#include "core/ref.h"
#include "io/registry.h"

/* What wring_client_renew was given, in one block. */
struct wring__renewed {
    wring_result result;
    const char *url;       /* NULL: as in the last attempt */
    wring_headers headers; /* list NULL: likewise */
    wring_header list[];
};

/* ---- at once --------------------------------------------------------------------------------- */

static void want(wring_client *client, bool wanted) {
    pthread_mutex_lock(&client->lock);
    client->renewal_wanted = wanted;
    pthread_mutex_unlock(&client->lock);
}

static wring_result refused(wring_error *error, wring_result result) {
    return wring_error_set(error, result, 0, "the application renewed neither URL nor headers: %s",
                           wring_result_text(result));
}

wring_result wring__client_renew(wring_client *client, wring_error *error) {
    const wring_client_config *config = &client->settings.config;
    if (config->renew == NULL) {
        return WRING_OK;
    }
    wring_client_renewal renewal = {.struct_size = sizeof renewal,
                                    .attempt = client->attempt,
                                    .url = client->settings.url_text,
                                    .headers = client->settings.given};
    want(client, true); /* the answer may come before the callback has returned */
    const wring_result result = config->renew(client, &renewal, config->renew_opts);
    client->renewing = result == WRING_MORE;
    if (result == WRING_MORE) {
        return result;
    }
    wring__client_renew_cancel(client);
    return result == WRING_OK ? wring__client_settings_renew(&client->settings, renewal.url,
                                                             renewal.headers, error)
                              : refused(error, result);
}

void wring__client_renew_cancel(wring_client *client) {
    client->renewing = false;
    pthread_mutex_lock(&client->lock);
    client->renewal_wanted = false;
    free(client->renewal);
    client->renewal = NULL;
    pthread_mutex_unlock(&client->lock);
}

/* ---- later ----------------------------------------------------------------------------------- */

static struct wring__renewed *renewal_take(wring_client *client) {
    pthread_mutex_lock(&client->lock);
    struct wring__renewed *renewal = client->renewal;
    client->renewal = NULL;
    client->renewal_posted = false;
    pthread_mutex_unlock(&client->lock);
    return renewal;
}

static void renewed_run(wring__call *call, void *worker) {
    (void)worker;
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, renewed);
    struct wring__renewed *renewal = renewal_take(client); /* NULL: the attempt is over */
    if (renewal != NULL) {
        client->renewing = false;
        wring__client_settings *settings = &client->settings;
        wring_error error;
        wring_result result = renewal->result;
        if (result != WRING_OK) {
            (void)refused(&error, result);
        } else if (renewal->url != NULL || renewal->headers.list != NULL) {
            result = wring__client_settings_renew(settings, renewal->url, renewal->headers, &error);
        }
        if (result == WRING_OK) {
            wring__client_attempt_dial(client);
        } else {
            wring__client_attempt_failed(client, &error);
        }
    }
    free(renewal);
    wring__client_release(client);
}

static void renewed_lost(wring__call *call) {
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, renewed);
    free(renewal_take(client));
    wring__client_release(client);
}

void wring__client_renew_init(wring_client *client) {
    client->renewed = (wring__call){renewed_run, renewed_lost};
}

static const uint8_t *put(char **at, const void *data, size_t len) {
    const uint8_t *begin = (const uint8_t *)*at;
    if (len > 0) {
        memcpy(*at, data, len);
    }
    *at += len;
    return begin;
}

static struct wring__renewed *renewed_copy(wring_result result,
                                           const wring_client_renewal *renewal) {
    const size_t url_len = renewal->url == NULL ? 0 : strlen(renewal->url);
    const size_t count = renewal->headers.count;
    size_t len = url_len + 1;
    for (size_t i = 0; i < count; i++) {
        len += renewal->headers.list[i].name.len + renewal->headers.list[i].value.len;
    }
    struct wring__renewed *copy = malloc(sizeof *copy + count * sizeof copy->list[0] + len);
    if (copy == NULL) {
        return NULL;
    }
    char *at = (char *)&copy->list[count];
    copy->result = result;
    copy->url = renewal->url == NULL ? NULL : (const char *)put(&at, renewal->url, url_len + 1);
    for (size_t i = 0; i < count; i++) {
        const wring_header *header = &renewal->headers.list[i];
        copy->list[i].name =
            wring_bytes_of(put(&at, header->name.data, header->name.len), header->name.len);
        copy->list[i].value =
            wring_bytes_of(put(&at, header->value.data, header->value.len), header->value.len);
    }
    copy->headers = (wring_headers){renewal->headers.list == NULL ? NULL : copy->list, count};
    return copy;
}

/* One call at a time is under way: when it is posted already, it finds this answer as well. */
static wring_result renewed_post(wring_client *client) {
    const wring__mail mail = {.kind = WRING__MAIL_CALL,
                              .ref = wring__ref_pack(client->loop, 0, 0),
                              .data = &client->renewed};
    (void)wring__client_hold(client);
    const wring_result result = wring__registry_post(&mail);
    if (result != WRING_OK) {
        wring__client_release(client);
    }
    return result;
}

wring_result wring_client_renew(wring_client *client, wring_result result,
                                const wring_client_renewal *renewal) {
    const wring_client_renewal none = {.struct_size = sizeof none};
    wring_client_renewal given;
    if (wring__sized_adopt(&given, sizeof given, renewal == NULL ? &none : renewal,
                           offsetof(wring_client_renewal, headers), "wring_client_renewal",
                           NULL) != WRING_OK ||
        result == WRING_MORE || !wring__headers_are_views(given.headers)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    struct wring__renewed *copy = renewed_copy(result, &given);
    if (copy == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&client->lock);
    wring_result posted = client->renewal_wanted ? WRING_OK : WRING_ERR_INVALID_STATE;
    if (posted == WRING_OK && !client->renewal_posted) {
        posted = renewed_post(client);
        client->renewal_posted = posted == WRING_OK;
    }
    if (posted == WRING_OK) {
        client->renewal = copy;
        client->renewal_wanted = false;
    }
    pthread_mutex_unlock(&client->lock);
    if (posted != WRING_OK) {
        free(copy);
    }
    return posted;
}
