/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads in pieces. See head.h.
 */
#include "proto/head.h"

#include <stdlib.h>

#define HEAD_FIRST 1024

static wring_result append(wring__head *head, wring_mut_bytes bytes) {
    if (head->cap - head->len < bytes.len) {
        size_t cap = head->cap == 0 ? HEAD_FIRST : head->cap * 2;
        cap = cap < head->len + bytes.len ? head->len + bytes.len : cap;
        uint8_t *grown = realloc(head->data, cap);
        if (grown == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        head->data = grown;
        head->cap = cap;
    }
    memcpy(head->data + head->len, bytes.data, bytes.len);
    head->len += bytes.len;
    return WRING_OK;
}

wring_result wring__head_feed(wring__head **head, wring__http1 *scratch, wring_mut_bytes bytes,
                              wring__http1 **parser, wring_mut_bytes *data) {
    if (*head == NULL) {
        wring_result result = wring__http1_parse(scratch, wring_bytes_of(bytes.data, bytes.len));
        *parser = scratch;
        *data = bytes;
        if (result != WRING_MORE) {
            return result;
        }
        *head = calloc(1, sizeof **head);
        if (*head == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        (*head)->parser = *scratch;
        result = append(*head, bytes);
        return result == WRING_OK ? WRING_MORE : result;
    }
    wring_result result = append(*head, bytes);
    if (result == WRING_OK) {
        result = wring__http1_parse(&(*head)->parser, wring_bytes_of((*head)->data, (*head)->len));
    }
    *parser = &(*head)->parser;
    data->data = (*head)->data;
    data->len = (*head)->len;
    return result;
}

void wring__head_free(wring__head **head) {
    if (*head != NULL) {
        free((*head)->data);
        free(*head);
        *head = NULL;
    }
}
