/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of one head, collected while it comes in. See h2_mux.h.
 */
#include <stdlib.h>

#include "stream/h2_mux.h"

/* A head that is larger than its limit is answered, with 431; one that is so many times larger is
 * no longer looked at. */
#define OFFERED_TIMES 4

struct wring__h2_head {
    uint8_t *data; /* names and values, one behind the other */
    size_t len;
    size_t cap;
    size_t count;
    uint64_t offered; /* also of those that were not taken */
    uint32_t bytes_max;
    wring_result result;
    struct {
        uint32_t at;
        uint32_t name_len;
        uint32_t value_len;
    } fields[WRING_HTTP_FIELDS_MAX];
};

wring__h2_head *wring__h2_head_make(uint32_t bytes_max) {
    wring__h2_head *head = malloc(sizeof *head);
    if (head != NULL) {
        head->data = NULL;
        head->len = head->cap = head->count = 0;
        head->bytes_max = bytes_max;
        head->offered = 0;
        head->result = WRING_OK;
    }
    return head;
}

void wring__h2_head_free(wring__h2_head *head) {
    if (head != NULL) {
        free(head->data);
        free(head);
    }
}

static wring_result room_make(wring__h2_head *head, size_t len) {
    if (head->cap - head->len >= len) {
        return WRING_OK;
    }
    const size_t cap = (head->len + len) * 2;
    uint8_t *grown = realloc(head->data, cap);
    if (grown == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    head->data = grown;
    head->cap = cap;
    return WRING_OK;
}

/* RFC 9113 8.2.3: the parts of a cookie are one field to everybody else, wherever they stand.
 * Returns the field to which this one belongs; head->count: none. */
static size_t cookie_find(const wring__h2_head *head, wring_bytes name) {
    const bool is_cookie = wring_bytes_equal(name, wring_str("cookie"));
    size_t i = is_cookie ? 0 : head->count;
    while (i < head->count &&
           !wring_bytes_equal(
               wring_bytes_of(head->data + head->fields[i].at, head->fields[i].name_len), name)) {
        i++;
    }
    return i;
}

/* What stands behind the field makes room: RFC 9113 8.2.3 says "; ". */
static wring_result field_extend(wring__h2_head *head, size_t field, wring_bytes value) {
    const size_t len = value.len + 2;
    if (head->len + len > head->bytes_max) {
        return WRING_ERR_HANDSHAKE_TOO_BIG;
    }
    if (room_make(head, len) != WRING_OK) {
        return WRING_ERR_NO_MEMORY;
    }
    const size_t end =
        head->fields[field].at + head->fields[field].name_len + head->fields[field].value_len;
    memmove(head->data + end + len, head->data + end, head->len - end);
    memcpy(head->data + end, "; ", 2);
    if (value.len > 0) {
        memcpy(head->data + end + 2, value.data, value.len);
    }
    for (size_t i = field + 1; i < head->count; i++) {
        head->fields[i].at += (uint32_t)len;
    }
    head->len += len;
    head->fields[field].value_len += (uint32_t)len;
    return WRING_OK;
}

static wring_result add(wring__h2_head *head, wring_bytes name, wring_bytes value) {
    const size_t len = name.len + value.len;
    const size_t cookie = cookie_find(head, name);
    if (cookie < head->count) {
        return field_extend(head, cookie, value);
    }
    if (head->count == WRING_HTTP_FIELDS_MAX) {
        return WRING_ERR_TOO_MANY_HEADERS;
    }
    if (head->len + len > head->bytes_max) {
        return WRING_ERR_HANDSHAKE_TOO_BIG;
    }
    if (room_make(head, len) != WRING_OK) {
        return WRING_ERR_NO_MEMORY;
    }
    head->fields[head->count].at = (uint32_t)head->len;
    head->fields[head->count].name_len = (uint32_t)name.len;
    head->fields[head->count++].value_len = (uint32_t)value.len;
    memcpy(head->data + head->len, name.data, name.len);
    if (value.len > 0) {
        memcpy(head->data + head->len + name.len, value.data, value.len);
    }
    head->len += len;
    return WRING_OK;
}

bool wring__h2_head_add(wring__h2_head *head, wring_bytes name, wring_bytes value) {
    head->offered += name.len + value.len;
    if (head->result == WRING_OK) {
        head->result = add(head, name, value);
    }
    return head->offered / OFFERED_TIMES <= head->bytes_max;
}

wring_result wring__h2_head_result(const wring__h2_head *head) {
    return head->result;
}

wring_headers wring__h2_head_fields(const wring__h2_head *head,
                                    wring_header list[WRING_HTTP_FIELDS_MAX]) {
    for (size_t i = 0; i < head->count; i++) {
        const uint8_t *at = head->data + head->fields[i].at;
        list[i].name = wring_bytes_of(at, head->fields[i].name_len);
        list[i].value = wring_bytes_of(at + head->fields[i].name_len, head->fields[i].value_len);
    }
    return (wring_headers){list, head->count};
}
