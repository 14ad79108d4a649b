/* SPDX-License-Identifier: Apache-2.0
 *
 * See h2_client.h.   RFC: 9113 4.1, 6; 7541 6.2.2
 */
#include "bench/budget/h2_client.h"

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, WINDOW_UPDATE = 8 };
enum { ACK = 1, END_HEADERS = 4 };
enum { INITIAL_WINDOW_SIZE = 4 };

#define WINDOW INT32_MAX

static void store_be32(uint8_t *out, uint32_t value) {
    wring__store_be16(out, (uint16_t)(value >> 16));
    wring__store_be16(out + 2, (uint16_t)value);
}

static size_t head(uint8_t *out, size_t len, uint8_t type, uint8_t flags, uint32_t id) {
    out[0] = (uint8_t)(len >> 16);
    wring__store_be16(out + 1, (uint16_t)len);
    out[3] = type;
    out[4] = flags;
    store_be32(out + 5, id);
    return 9;
}

size_t h2_client_begin(uint8_t *out) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t len = sizeof preface - 1;
    memcpy(out, preface, len);
    len += head(out + len, 6, SETTINGS, 0, 0);
    wring__store_be16(out + len, INITIAL_WINDOW_SIZE);
    store_be32(out + len + 2, WINDOW);
    len += 6;
    len += head(out + len, 4, WINDOW_UPDATE, 0, 0);
    store_be32(out + len, WINDOW - 65535); /* RFC 9113 6.9.2: that is what it begins with */
    len += 4;
    return len + head(out + len, 0, SETTINGS, ACK, 0);
}

/* A literal that goes into no table. */
static size_t field(uint8_t *out, const char *name, const char *value) {
    const size_t name_len = strlen(name);
    const size_t value_len = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)name_len;
    memcpy(out + 2, name, name_len);
    out[2 + name_len] = (uint8_t)value_len;
    memcpy(out + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static uint32_t id_of(unsigned n) {
    return 2 * n + 1;
}

size_t h2_client_open(uint8_t *out, unsigned n) {
    size_t len = 9;
    len += field(out + len, ":method", "CONNECT");
    len += field(out + len, ":protocol", "websocket");
    len += field(out + len, ":scheme", "http");
    len += field(out + len, ":authority", "x");
    len += field(out + len, ":path", "/");
    len += field(out + len, "sec-websocket-version", "13");
    (void)head(out, len - 9, HEADERS, END_HEADERS, id_of(n));
    return len;
}

size_t h2_client_data(uint8_t *out, unsigned n, wring_bytes bytes) {
    (void)head(out, bytes.len, DATA, 0, id_of(n));
    memcpy(out + H2_CLIENT_DATA_HEAD, bytes.data, bytes.len);
    return H2_CLIENT_DATA_HEAD + bytes.len;
}
