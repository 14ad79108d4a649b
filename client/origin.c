/* SPDX-License-Identifier: Apache-2.0
 *
 * See origin.h.
 */
#include "client/origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"

/* ---- what tells them apart ------------------------------------------------------------------- */

static void key_text(FILE *stream, const char *text) {
    const char *shown = text == NULL ? "" : text;
    fprintf(stream, "%zu:%s,", strlen(shown), shown); /* two that differ never read alike */
}

/* RFC 3986 3.2.2: without regard to case. */
static void key_host(FILE *stream, const char *host) {
    fprintf(stream, "%zu:", strlen(host));
    for (const char *c = host; *c != 0; c++) {
        (void)fputc(*c >= 'A' && *c <= 'Z' ? *c | 32 : *c, stream);
    }
    (void)fputc(',', stream);
}

static void key_address(FILE *stream, const wring__address *address) {
    const uint8_t *bytes = (const uint8_t *)&address->any;
    for (size_t i = 0; i < address->len; i++) {
        fprintf(stream, "%02x", bytes[i]);
    }
}

static void key_http2(FILE *stream, const wring_http2_config *config) {
    fprintf(stream, ",%u,%u,%u,%u,%llu,%llu,%llu,%llu", config->sessions_max, config->window_bytes,
            config->connection_window_bytes, config->idle_timeout_ms,
            (unsigned long long)config->resets_per_second, (unsigned long long)config->resets_burst,
            (unsigned long long)config->controls_per_second,
            (unsigned long long)config->controls_burst);
}

/* Own: give; NULL when memory is out. */
static char *key_make(const wring_client *client) {
    const wring__client_settings *settings = &client->settings;
    const wring__proxy_config *proxy = &settings->proxy;
    char *key = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&key, &size);
    if (stream == NULL) {
        return NULL;
    }
    fprintf(stream, "%d,%u,%p,%u,%d,%u,", settings->url.secure, settings->url.port,
            settings->url.secure ? (void *)settings->tls : NULL,
            settings->config.handshake_bytes_max, (int)proxy->kind, proxy->port);
    key_host(stream, settings->host);
    key_text(stream, proxy->host);
    key_text(stream, proxy->user);
    key_text(stream, proxy->password);
    key_address(stream, &settings->source);
    key_http2(stream, client->settings.config.http2);
    if (fclose(stream) != 0) {
        free(key);
        return NULL;
    }
    return key;
}

static void on_worker_over(void *data) {
    wring__trunks *all = data;
    while (all->origins != NULL) {
        wring__origin *origin = all->origins;
        WRING_ASSERT(origin->trunks == NULL && origin->opening == NULL && origin->waiting == NULL);
        all->origins = origin->next;
        free(origin);
    }
    free(all);
}

static wring__trunks *trunks_of(wring__worker *worker) {
    if (worker->trunks.data == NULL) {
        worker->trunks.data = calloc(1, sizeof(wring__trunks));
        worker->trunks.destroy = worker->trunks.data == NULL ? NULL : on_worker_over;
    }
    return worker->trunks.data;
}

const wring__h2_counters *wring__trunk_counters(const wring__worker *worker) {
    const wring__trunks *all = worker->trunks.data;
    return all == NULL ? NULL : &all->counters;
}

static bool is_forgettable(const wring__origin *origin) {
    return origin->trunks == NULL && origin->opening == NULL && origin->dialler == NULL &&
           origin->waiting == NULL && origin->plain_until <= origin->worker->now &&
           origin->full_until <= origin->worker->now;
}

/* Those whose last client went long ago. */
static void origins_sweep(wring__trunks *all) {
    for (wring__origin **at = &all->origins; *at != NULL;) {
        wring__origin *origin = *at;
        if (is_forgettable(origin)) {
            *at = origin->next;
            wring__worker_unschedule(origin->worker, &origin->serve);
            free(origin);
        } else {
            at = &origin->next;
        }
    }
}

static wring__origin *origin_make(wring__trunks *all, wring__worker *worker, const char *key) {
    const size_t size = strlen(key) + 1;
    wring__origin *origin = calloc(1, sizeof *origin + size);
    if (origin != NULL) {
        memcpy(origin->key, key, size);
        origin->all = all;
        origin->worker = worker;
        origin->serve.run = wring__trunk_serve;
        origin->tail = &origin->waiting;
        origin->next = all->origins;
        all->origins = origin;
    }
    return origin;
}

/* The client's. NULL when memory is out. */
wring__origin *wring__origin_get(const wring_client *client) {
    wring__trunks *all = trunks_of(client->worker);
    char *key = all == NULL ? NULL : key_make(client);
    if (key == NULL) {
        return NULL;
    }
    wring__origin *origin = all->origins;
    while (origin != NULL && strcmp(origin->key, key) != 0) {
        origin = origin->next;
    }
    if (origin == NULL) {
        origins_sweep(all);
        origin = origin_make(all, client->worker, key);
    }
    free(key);
    return origin;
}

/* Whoever waits there is looked at, soon. */
void wring__origin_wake(wring__origin *origin) {
    if (origin->waiting != NULL) {
        wring__worker_schedule(origin->worker, &origin->serve, origin->worker->now);
    } else {
        wring__worker_unschedule(origin->worker, &origin->serve);
    }
}

/* ---- who waits ------------------------------------------------------------------------------- */

void wring__origin_wait(wring__origin *origin, wring_client *client, bool first) {
    WRING_ASSERT(client->ride.origin == NULL && client->ride.link == NULL);
    wring_client **link = first ? &origin->waiting : origin->tail;
    client->ride.origin = origin;
    client->ride.link = link;
    client->ride.next = *link;
    *link = client;
    if (client->ride.next == NULL) {
        origin->tail = &client->ride.next;
    } else {
        client->ride.next->ride.link = &client->ride.next;
    }
}

void wring__origin_unwait(wring_client *client) {
    wring__origin *origin = client->ride.origin;
    WRING_ASSERT(origin != NULL && client->ride.link != NULL);
    *client->ride.link = client->ride.next;
    if (client->ride.next == NULL) {
        origin->tail = client->ride.link;
    } else {
        client->ride.next->ride.link = client->ride.link;
    }
    client->ride.origin = NULL;
    client->ride.link = NULL;
    client->ride.next = NULL;
}
