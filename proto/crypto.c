/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-1, base64 and random bytes, from OpenSSL's libcrypto. See crypto.h.
 */
#include "proto/crypto.h"

#include <pthread.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/mman.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */

wring_result wring__accept_key(wring_bytes key, char out[WRING__ACCEPT_TEXT]) {
    uint8_t text[64];
    uint8_t digest[SHA_DIGEST_LENGTH];
    if (key.len + sizeof guid - 1 > sizeof text) {
        return WRING_ERR_BAD_KEY;
    }
    memcpy(text, key.data, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    SHA1(text, key.len + sizeof guid - 1, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
    return WRING_OK;
}

wring_result wring__client_key(char out[WRING__KEY_TEXT]) {
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return WRING_ERR_NO_RANDOM;
    }
    EVP_EncodeBlock((unsigned char *)out, bytes, sizeof bytes);
    return WRING_OK;
}

static int base64_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool wring__client_key_is_valid(wring_bytes key) {
    if (key.len != WRING__KEY_TEXT - 1 || key.data[22] != '=' || key.data[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (base64_digit(key.data[i]) < 0) {
            return false;
        }
    }
    return true; /* whatever the four spare bits are: RFC 6455 4.1 has such a key */
}

/* ---- masking keys ---------------------------------------------------------------------------- */

#define POOL_KEYS 1023

/* One page per thread; MADV_WIPEONFORK gives a forked child zeros, so that `left` is 0 there and
 * the child draws its own. */
struct key_pool {
    uint32_t left;
    uint32_t keys[POOL_KEYS];
};

static _Thread_local struct key_pool *pool;
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static bool pool_has_key;

static void pool_free(void *made) {
    munmap(made, sizeof(struct key_pool));
}

static void pool_key_make(void) {
    pool_has_key = pthread_key_create(&pool_key, pool_free) == 0;
}

static struct key_pool *pool_make(void) {
    struct key_pool *made =
        mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) {
        return NULL;
    }
    if (madvise(made, sizeof *made, MADV_WIPEONFORK) != 0) {
        pool_free(made);
        return NULL;
    }
    pthread_once(&pool_once, pool_key_make);
    if (!pool_has_key || pthread_setspecific(pool_key, made) != 0) {
        pool_free(made); /* nobody would, when the thread ends */
        return NULL;
    }
    return made;
}

wring_result wring__random_key(uint32_t *key) {
    if (pool == NULL) {
        pool = pool_make();
    }
    if (pool == NULL) { /* no page for a pool: one at a time */
        bool drawn = RAND_bytes((unsigned char *)key, sizeof *key) == 1;
        return drawn ? WRING_OK : WRING_ERR_NO_RANDOM;
    }
    if (pool->left == 0) {
        if (RAND_bytes((unsigned char *)pool->keys, sizeof pool->keys) != 1) {
            return WRING_ERR_NO_RANDOM;
        }
        pool->left = POOL_KEYS;
    }
    *key = pool->keys[--pool->left];
    pool->keys[pool->left] = 0;
    return WRING_OK;
}
