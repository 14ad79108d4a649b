/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of session tickets: a new one every twelve hours, and the one before it is accepted as
 * long again, so that a stolen key opens a day of resumptions and no more. A context that replaces
 * another one shares its keys, and their age.
 *
 * Thread: any. The lock is held for the copy of a key, once or twice a handshake.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "io/tls_internal.h"

#define PERIOD_NS (UINT64_C(12) * 3600 * WRING_NS_PER_SEC)

struct ticket_key {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
    wring_time_ns made;
    bool is_set;
};

struct wring__tls_tickets {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct ticket_key current;
    struct ticket_key before;
};

/* A suspended machine's keys age too. */
static wring_time_ns clock_read(void) {
    struct timespec at;
    clock_gettime(CLOCK_BOOTTIME, &at);
    return (wring_time_ns)at.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)at.tv_nsec;
}

wring_time_ns (*wring__tls_tickets_clock)(void) = clock_read;

/* ---- keys ------------------------------------------------------------------------------------ */

static void key_drop(struct ticket_key *key) {
    OPENSSL_cleanse(key, sizeof *key);
}

static bool key_make(struct ticket_key *key, wring_time_ns now) {
    key->made = now;
    key->is_set = RAND_bytes(key->name, sizeof key->name) == 1 &&
                  RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
                  RAND_priv_bytes(key->mac, sizeof key->mac) == 1;
    return key->is_set;
}

/* The lock is held. Without random bytes the current key goes on. */
static void keys_rotate(wring__tls_tickets *tickets, wring_time_ns now) {
    if (tickets->before.is_set && now - tickets->before.made >= 2 * PERIOD_NS) {
        key_drop(&tickets->before);
    }
    const wring_duration_ns age = now - tickets->current.made;
    struct ticket_key next;
    if (age < PERIOD_NS || !key_make(&next, now)) {
        return;
    }
    key_drop(&tickets->before);
    if (age < 2 * PERIOD_NS) {
        tickets->before = tickets->current;
    }
    tickets->current = next;
    key_drop(&next);
}

wring__tls_tickets *wring__tls_tickets_create(void) {
    wring__tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL) {
        return NULL;
    }
    atomic_init(&tickets->refs, 1);
    if (!key_make(&tickets->current, wring__tls_tickets_clock()) ||
        pthread_mutex_init(&tickets->lock, NULL) != 0) {
        free(tickets);
        return NULL;
    }
    return tickets;
}

wring__tls_tickets *wring__tls_tickets_ref(wring__tls_tickets *tickets) {
    atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
    return tickets;
}

void wring__tls_tickets_unref(wring__tls_tickets *tickets) {
    if (tickets != NULL &&
        atomic_fetch_sub_explicit(&tickets->refs, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&tickets->lock);
        key_drop(&tickets->current);
        key_drop(&tickets->before);
        free(tickets);
    }
}

/* A copy of the key with this name, or of the current one.  False: there is none. */
static bool key_find(wring__tls_tickets *tickets, const uint8_t *name, struct ticket_key *key,
                     bool *is_current) {
    const wring_time_ns now = wring__tls_tickets_clock();
    pthread_mutex_lock(&tickets->lock);
    keys_rotate(tickets, now);
    const struct ticket_key *found = NULL;
    if (name == NULL || memcmp(name, tickets->current.name, sizeof tickets->current.name) == 0) {
        found = &tickets->current;
    } else if (tickets->before.is_set &&
               memcmp(name, tickets->before.name, sizeof tickets->before.name) == 0) {
        found = &tickets->before;
    }
    *is_current = found == &tickets->current;
    if (found != NULL) {
        *key = *found;
    }
    pthread_mutex_unlock(&tickets->lock);
    return found != NULL;
}

/* ---- tickets --------------------------------------------------------------------------------- */

static bool key_use(const struct ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool seals) {
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_END};
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seals) == 1 &&
           EVP_MAC_init(mac, key->mac, sizeof key->mac, params) == 1;
}

/* RFC 5077 4. 0: the ticket is of no key we have; 2: a new one is due. RFC 8446 C.4: one of TLS 1.3
 * is used once. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seals) {
    wring__tls_tickets *tickets = wring__tls_of(ssl)->context->tickets;
    struct ticket_key key;
    bool is_current = false;
    if (!key_find(tickets, seals ? NULL : name, &key, &is_current)) {
        return 0;
    }
    const bool is_due = !is_current || SSL_version(ssl) >= TLS1_3_VERSION;
    int result = is_due && !seals ? 2 : 1;
    if (seals) {
        memcpy(name, key.name, sizeof key.name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) {
            result = -1;
        }
    }
    if (result > 0 && !key_use(&key, iv, cipher, mac, seals)) {
        result = -1;
    }
    key_drop(&key);
    return result;
}

bool wring__tls_tickets_install(wring__tls_context *context) {
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, on_ticket) == 1;
}
