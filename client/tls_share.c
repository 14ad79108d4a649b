/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts shared by clients: reading the system's authorities takes milliseconds and a
 * megabyte, too much for each of ten thousand clients. Clients that live at the same time with
 * equal settings share what the first of them read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"

struct wring__tls_share {
    struct wring__tls_share *next;
    wring__tls_context *context;
    uint32_t users;
    char key[]; /* the settings as text */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static wring__tls_share *shares;

static const char *text(const char *value) {
    return value == NULL ? "" : value;
}

/* One line for each setting, so that two that differ never read alike. */
static char *key_make(const wring_tls_client_config *config) {
    char *key = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&key, &size);
    if (stream == NULL) {
        return NULL;
    }
    fprintf(stream, "%d%d\n%s\n%s\n%s\n", config->no_verify, config->allow_expired,
            text(config->ca_file), text(config->cert_file), text(config->key_file));
    for (size_t i = 0; i < config->alpn_count; i++) {
        fprintf(stream, "%s\n", config->alpn[i]);
    }
    if (fclose(stream) != 0) {
        free(key);
        return NULL;
    }
    return key;
}

static wring_result share_make(const char *key, const wring_tls_client_config *config,
                               wring__tls_share **out, wring_error *error) {
    const size_t size = strlen(key) + 1;
    wring__tls_share *share = calloc(1, sizeof *share + size);
    if (share == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    }
    memcpy(share->key, key, size);
    wring_result result = wring__tls_context_client(config, &share->context, error);
    if (result != WRING_OK) {
        free(share);
        return result;
    }
    share->next = shares;
    shares = share;
    *out = share;
    return WRING_OK;
}

wring_result wring__tls_share_get(const wring_tls_client_config *config, wring__tls_share **out,
                                  wring_error *error) {
    char *key = key_make(config);
    if (key == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    }
    pthread_mutex_lock(&lock);
    wring_result result = WRING_OK;
    wring__tls_share *share = shares;
    while (share != NULL && strcmp(share->key, key) != 0) {
        share = share->next;
    }
    if (share == NULL) {
        result = share_make(key, config, &share, error);
    }
    if (result == WRING_OK) {
        share->users++;
        *out = share;
    }
    pthread_mutex_unlock(&lock);
    free(key);
    return result;
}

void wring__tls_share_release(wring__tls_share *share) {
    if (share == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (--share->users == 0) {
        wring__tls_share **link = &shares;
        while (*link != share) {
            link = &(*link)->next;
        }
        *link = share->next;
        wring__tls_context_unref(share->context);
        free(share);
    }
    pthread_mutex_unlock(&lock);
}

wring__tls_context *wring__tls_share_context(const wring__tls_share *share) {
    return share->context;
}
