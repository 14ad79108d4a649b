/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON in and out.
 */
#include "examples/http_api/api.h"

#include <stdlib.h>

/* Refused when the client is gone or memory is out: then an exchange without a ref gets 500. */
static void answer_send(wring_exchange *exchange, const wring_answer *answer) {
    (void)!wring_exchange_answer(exchange, answer);
}

const wring_headers api_no_headers = {NULL, 0};

/* Takes `json`. Where it is NULL, the client gets 500. */
void api_answer_json(wring_exchange *exchange, uint16_t status, json_t *json,
                     wring_headers headers) {
    char *text = json_dumps(json, JSON_COMPACT);
    if (text != NULL) {
        answer_send(exchange, &(wring_answer){.struct_size = sizeof(wring_answer),
                                              .status = status,
                                              .content_type = "application/json",
                                              .headers = headers,
                                              .body = wring_str(text)});
    }
    free(text);
    json_decref(json);
}

void api_answer_error(wring_exchange *exchange, uint16_t status, const char *text) {
    const wring_header challenge = {wring_str("WWW-Authenticate"), wring_str("Bearer")};
    api_answer_json(exchange, status, json_pack("{s:s}", "error", text),
                    (wring_headers){&challenge, status == 401});
}

void api_answer_nothing(wring_exchange *exchange, wring_headers headers) {
    answer_send(
        exchange,
        &(wring_answer){.struct_size = sizeof(wring_answer), .status = 204, .headers = headers});
}

/* Takes what `format` says from the body, as json_unpack does. False: that was answered. The texts
 * are good until json_decref(*json). */
bool api_body_read(wring_exchange *exchange, json_t **json, const char *format, const char *name,
                   void *value) {
    const wring_bytes body = wring_exchange_request(exchange)->body;
    json_error_t error = {.text = "the body is empty"};
    *json = body.len == 0 ? NULL : json_loadb((const char *)body.data, body.len, 0, &error);
    if (*json == NULL) {
        api_answer_error(exchange, 400, error.text);
        return false;
    }
    if (json_unpack_ex(*json, &error, 0, format, name, value) != 0) {
        api_answer_error(exchange, 422, error.text);
        json_decref(*json);
        return false;
    }
    return true;
}
