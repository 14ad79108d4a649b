/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of a server that refused the upgrade, kept whole for `-v`: of the first connection
 * that was refused. It stays open until its body has come; all others end at the status.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/engine.h"

#define REFUSAL_MAX (16u * 1024)

struct load_refused {
    size_t len;
    uint64_t left; /* of the body; UINT64_MAX: until the stream ends */
    unsigned status;
    bool chunked;
    char text[REFUSAL_MAX + 1];
};

static void append(load_refused *refused, const uint8_t *data, size_t len) {
    const size_t n = wring__min_size(len, REFUSAL_MAX - refused->len);
    memcpy(refused->text + refused->len, data, n);
    refused->len += n;
    refused->left -= refused->left == UINT64_MAX ? 0 : wring__min_u64(len, refused->left);
}

static bool is_whole(const load_refused *refused) {
    static const char last[] = "0\r\n\r\n"; /* RFC 9112 7.1 */
    const size_t len = sizeof last - 1;
    return refused->left == 0 || refused->len == REFUSAL_MAX ||
           (refused->chunked && refused->len > len &&
            memcmp(refused->text + refused->len - len, last, len) == 0);
}

/* Digits only, and no more than fit. RFC 9112 6.2 */
static uint64_t content_length(wring_headers headers) {
    wring_bytes value;
    uint64_t length = 0;
    if (!wring_headers_get(headers, "content-length", &value) || value.len == 0 || value.len > 18) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return UINT64_MAX;
        }
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    return length;
}

/* As HTTP/1.1 would write it. */
static void fields_append(load_refused *refused, wring_headers headers) {
    char line[32];
    append(refused, (const uint8_t *)line,
           (size_t)snprintf(line, sizeof line, "HTTP/2 %u\r\n", refused->status));
    for (size_t i = 0; i < headers.count; i++) {
        append(refused, headers.list[i].name.data, headers.list[i].name.len);
        append(refused, (const uint8_t *)": ", 2);
        append(refused, headers.list[i].value.data, headers.list[i].value.len);
        append(refused, (const uint8_t *)"\r\n", 2);
    }
    append(refused, (const uint8_t *)"\r\n", 2);
}

bool load_refusal_begin(load_link *link, unsigned status, wring_headers headers, wring_bytes head) {
    load_run *run = link->thread->run;
    if (!run->config->keep_refusal || atomic_exchange(&run->refusal_kept, true)) {
        return false;
    }
    load_refused *refused = malloc(sizeof *refused);
    if (refused == NULL) {
        return false;
    }
    refused->len = 0;
    refused->left = UINT64_MAX;
    refused->status = status;
    refused->chunked = wring_headers_has_token(headers, "transfer-encoding", "chunked");
    link->refused = refused;
    if (head.len > 0) {
        append(refused, head.data, head.len);
    } else {
        fields_append(refused, headers);
    }
    refused->left = refused->chunked ? UINT64_MAX : content_length(headers);
    return true;
}

void load_refusal_more(load_link *link, const uint8_t *data, size_t len) {
    char text[LOAD_REFUSAL_TEXT];
    append(link->refused, data, len);
    if (is_whole(link->refused)) {
        load_link_fail(link, load_refusal_end(link, text));
    }
}

const char *load_refusal_end(load_link *link, char text[LOAD_REFUSAL_TEXT]) {
    load_run *run = link->thread->run;
    load_refused *refused = link->refused;
    link->refused = NULL;
    (void)snprintf(text, LOAD_REFUSAL_TEXT, "handshake: HTTP status %u", refused->status);
    refused->text[refused->len] = 0;
    pthread_mutex_lock(&run->lock);
    run->result->refusal = strndup(refused->text, refused->len);
    pthread_mutex_unlock(&run->lock);
    free(refused);
    return text;
}
