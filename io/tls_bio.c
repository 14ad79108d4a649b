/* SPDX-License-Identifier: Apache-2.0
 *
 * The BIO between OpenSSL and our own spans. It reads from the bytes lent by wring__tls_receive and
 * appends to the outgoing queue, so that no byte waits in a buffer between the two; that was
 * measured against memory BIOs and BIO pairs and is the fastest and smallest. It holds nothing of a
 * stream but its address, so all streams of a thread share one.
 */
#include <pthread.h>

#include "io/tls_internal.h"

#define HEADER_BYTES 5

static int bio_write(BIO *bio, const char *data, int len) {
    wring__tls *tls = BIO_get_data(bio);
    wring_bytes bytes = {(const uint8_t *)data, (size_t)len};
    BIO_clear_retry_flags(bio);
    if (wring__outq_append(tls->out, tls->chunks, bytes) != WRING_OK) {
        tls->out_of_memory = true;
        return -1;
    }
    return len;
}

/* Follows the records in what OpenSSL takes: within one call it may deal with any number of them
 * that carry nothing. False: the peer may begin no more of them for now. RFC 8446 5.1 */
static bool records_follow(wring__tls *tls, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        const size_t part = wring__min_size(len, tls->body_left);
        if (part > 0) {
            tls->body_left = (uint16_t)(tls->body_left - part);
            bytes += part;
            len -= part;
            continue;
        }
        if (tls->header_len == 0) {
            if (tls->empty_left == 0) {
                tls->is_flooded = true;
                return false;
            }
            tls->empty_left--;
            tls->record_is_charged = true;
        }
        /* a type, two bytes of version, two of length */
        if (++tls->header_len == HEADER_BYTES) {
            tls->body_left = (uint16_t)(tls->length_high << 8 | *bytes);
            tls->header_len = 0;
        } else if (tls->header_len == HEADER_BYTES - 1) {
            tls->length_high = *bytes;
        }
        bytes++;
        len--;
    }
    return true;
}

static int bio_read(BIO *bio, char *buffer, int len) {
    wring__tls *tls = BIO_get_data(bio);
    size_t n = wring__min_size(tls->rx.len, (size_t)len);
    BIO_clear_retry_flags(bio);
    if (n == 0 || !records_follow(tls, tls->rx.data, n)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(buffer, tls->rx.data, n);
    tls->rx.data += n;
    tls->rx.len -= n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* there is nothing to flush; all else is not ours */
}

/* Lives as long as the process: streams of any worker may still use it. */
static BIO_METHOD *method;
static pthread_key_t bio_key; /* each thread's BIO; a stream holds a reference too */
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void bio_drop(void *bio) {
    (void)BIO_free(bio);
}

static void method_create(void) {
    if (pthread_key_create(&bio_key, bio_drop) != 0) {
        return;
    }
    BIO_METHOD *created = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wring");
    if (created != NULL && BIO_meth_set_write(created, bio_write) == 1 &&
        BIO_meth_set_read(created, bio_read) == 1 && BIO_meth_set_ctrl(created, bio_ctrl) == 1) {
        method = created;
        return;
    }
    BIO_meth_free(created);
}

BIO *wring__tls_bio_acquire(void) {
    pthread_once(&method_once, method_create);
    if (method == NULL) {
        return NULL;
    }
    BIO *bio = pthread_getspecific(bio_key);
    if (bio == NULL) {
        bio = BIO_new(method);
        if (bio == NULL || pthread_setspecific(bio_key, bio) != 0) {
            (void)BIO_free(bio);
            return NULL;
        }
        BIO_set_init(bio, 1);
    }
    return BIO_up_ref(bio) == 1 ? bio : NULL;
}
