/* SPDX-License-Identifier: Apache-2.0
 *
 * The request of a session over HTTP/2, an extended CONNECT: its fields, made once for the run.
 * RFC 8441 4
 */
#include <ctype.h>
#include <stdlib.h>

#include "bench/load/target.h"

#define JOINED_MAX 4096

struct load_fields {
    wring_header list[LOAD_FIELDS_MAX];
    size_t count;
    size_t path_at; /* in the list */
    char **paths;   /* by topic */
    uint32_t topics;
    char *host;
    char *names[LOAD_HEADERS_MAX + 1]; /* of headers that were given, in lower case */
    size_t name_count;
    uint8_t joined[JOINED_MAX]; /* subprotocols */
};

/* RFC 9113 8.2.1 */
static wring_result names_lower(load_fields *fields, wring_header *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *name = strndup((const char *)list[i].name.data, list[i].name.len);
        if (name == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        for (char *c = name; *c != 0; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
        fields->names[fields->name_count++] = name;
        list[i].name = wring_str(name);
    }
    return WRING_OK;
}

static wring_result list_make(load_fields *fields, const load_target *target,
                              const load_config *config) {
    wring_header given[LOAD_HEADERS_MAX + 1];
    wring_header list[LOAD_HEADERS_MAX + 1 + WRING_H2_REQUEST_HEADERS_MAX];
    wring_upgrade_offer offer = load_target_offer(target, config, given);
    if (offer.extra.list != given && offer.extra.count > 0) {
        memcpy(given, offer.extra.list, offer.extra.count * sizeof *given);
        offer.extra.list = given;
    }
    wring_headers made = {list, 0};
    offer.peer_allows_connect = true; /* the server is asked before a stream is opened */
    offer.scheme = target->url.secure ? "https" : "http";
    offer.host = fields->host;
    offer.target = fields->paths[0];
    wring_result result = names_lower(fields, given, offer.extra.count);
    if (result == WRING_OK) {
        const wring_mut_bytes joined = {fields->joined, sizeof fields->joined};
        result = wring_h2_request_headers(&offer, joined, list, &made);
    }
    if (result == WRING_OK && made.count > LOAD_FIELDS_MAX) {
        result = WRING_ERR_TOO_MANY_HEADERS;
    }
    for (size_t i = 0; i < made.count && result == WRING_OK; i++) {
        fields->list[fields->count++] = list[i];
        fields->path_at = wring_bytes_equal(list[i].name, wring_str(":path")) ? i : fields->path_at;
    }
    return result;
}

static wring_result texts_make(load_fields *fields, const load_target *target,
                               const load_config *config) {
    fields->topics = config->topics;
    fields->paths = calloc(config->topics, sizeof *fields->paths);
    fields->host = load_target_host(target, config);
    bool ok = fields->paths != NULL && fields->host != NULL;
    for (uint32_t topic = 0; topic < config->topics && ok; topic++) {
        fields->paths[topic] = load_target_path(target, topic);
        ok = fields->paths[topic] != NULL;
    }
    return ok ? WRING_OK : WRING_ERR_NO_MEMORY;
}

wring_result load_fields_make(load_target *target, const load_config *config, wring_error *error) {
    load_fields *fields = calloc(1, sizeof *fields);
    wring_error why = {.text = ""};
    target->fields = fields;
    wring_result result = fields == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
    if (result == WRING_OK) {
        result = texts_make(fields, target, config);
    }
    if (result == WRING_OK) {
        result = wring_h1_request_headers_check(config->upgrade.extra, &why);
    }
    if (result == WRING_OK) {
        result = list_make(fields, target, config);
    }
    return result == WRING_OK
               ? WRING_OK
               : wring_error_set(error, result, 0, "the request: %s",
                                 why.text[0] == 0 ? wring_result_text(result) : why.text);
}

void load_fields_free(load_fields *fields) {
    if (fields == NULL) {
        return;
    }
    for (uint32_t topic = 0; topic < fields->topics && fields->paths != NULL; topic++) {
        free(fields->paths[topic]);
    }
    for (size_t i = 0; i < fields->name_count; i++) {
        free(fields->names[i]);
    }
    free(fields->paths);
    free(fields->host);
    free(fields);
}

wring_headers load_fields_of(const load_fields *fields, uint32_t topic,
                             wring_header list[LOAD_FIELDS_MAX]) {
    memcpy(list, fields->list, fields->count * sizeof *list);
    list[fields->path_at].value = wring_str(fields->paths[topic]);
    return (wring_headers){list, fields->count};
}
