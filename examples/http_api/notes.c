/* SPDX-License-Identifier: Apache-2.0
 *
 * /notes and /notes/{id}.
 */
#include "examples/http_api/api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX 10000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* also the order of changes */
static char *notes[NOTES_MAX + 1];                       /* by id, from 1 on; NULL: removed */
static size_t note_last;                                 /* the highest id there was */

/* 0: the path names none. */
static size_t note_id(const wring_request *request) {
    wring_bytes text;
    size_t id = 0;
    if (!wring_request_param(request, "id", &text) || text.len > 9) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        id = id * 10 + (text.data[i] - '0');
    }
    return id <= NOTES_MAX ? id : 0;
}

static json_t *note_json(size_t id, const char *text) {
    return json_pack("{s:I, s:s}", "id", (json_int_t)id, "text", text);
}

/* Takes `text`; NULL removes the note. False: there is none, and it was answered. */
static bool note_replace(wring_exchange *exchange, size_t id, char *text) {
    pthread_mutex_lock(&lock);
    char *old = notes[id];
    if (old != NULL) {
        notes[id] = text;
        api_changed(wring_exchange_server(exchange), text == NULL ? "removed" : "changed", id,
                    text);
    }
    pthread_mutex_unlock(&lock);
    if (old == NULL) {
        free(text);
        api_answer_error(exchange, 404, "there is no such note");
    }
    free(old);
    return old != NULL;
}

/* POST /notes */
void api_note_post(wring_exchange *exchange, const wring_request *request, void *opts) {
    char place[32];
    size_t id = 0;
    const char *text;
    json_t *body;
    (void)opts;
    if (!api_is_allowed(exchange, request) ||
        !api_body_read(exchange, &body, "{s:s!}", "text", (void *)&text)) {
        return;
    }
    char *kept = strdup(text);
    pthread_mutex_lock(&lock);
    if (kept != NULL && note_last < NOTES_MAX) {
        id = ++note_last;
        notes[id] = kept;
        api_changed(wring_exchange_server(exchange), "created", id, kept);
    }
    pthread_mutex_unlock(&lock);
    if (id == 0) {
        free(kept);
        api_answer_error(exchange, 507, "there is no room for more notes");
    } else {
        const int len = snprintf(place, sizeof place, "/notes/%zu", id);
        const wring_header header = {wring_str("Location"), wring_bytes_of(place, (size_t)len)};
        api_answer_json(exchange, 201, note_json(id, text), (wring_headers){&header, 1});
    }
    json_decref(body);
}

/* PUT /notes/{id} */
void api_note_put(wring_exchange *exchange, const wring_request *request, void *opts) {
    const size_t id = note_id(request);
    const char *text;
    json_t *body;
    (void)opts;
    if (!api_is_allowed(exchange, request) ||
        !api_body_read(exchange, &body, "{s:s!}", "text", (void *)&text)) {
        return;
    }
    char *kept = strdup(text);
    if (kept != NULL && note_replace(exchange, id, kept)) {
        api_answer_json(exchange, 200, note_json(id, text), api_no_headers);
    }
    json_decref(body);
}

/* DELETE /notes/{id} */
void api_note_delete(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)opts;
    if (api_is_allowed(exchange, request) && note_replace(exchange, note_id(request), NULL)) {
        api_answer_nothing(exchange, api_no_headers);
    }
}

/* GET /notes/{id} */
void api_note_get(wring_exchange *exchange, const wring_request *request, void *opts) {
    const size_t id = note_id(request);
    (void)opts;
    pthread_mutex_lock(&lock);
    json_t *json = notes[id] == NULL ? NULL : note_json(id, notes[id]);
    pthread_mutex_unlock(&lock);
    if (json == NULL) {
        api_answer_error(exchange, 404, "there is no such note");
    } else {
        api_answer_json(exchange, 200, json, api_no_headers);
    }
}

/* The next line of GET /notes; NULL: there are no more. To be freed. */
static char *line_make(size_t *id) {
    json_t *json = NULL;
    pthread_mutex_lock(&lock);
    while (*id < note_last && json == NULL) {
        const char *text = notes[++*id];
        json = text == NULL ? NULL : note_json(*id, text);
    }
    pthread_mutex_unlock(&lock);
    char *line = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return line;
}

/* As fast as the client reads, also as `drained`. */
static void list_more(wring_exchange *exchange) {
    size_t *id = wring_exchange_user(exchange); /* the last one that was sent */
    wring_result result = WRING_OK;
    while (result == WRING_OK) {
        size_t next = *id;
        char *line = line_make(&next);
        if (line == NULL) {
            result = wring_exchange_answer_end(exchange);
            break;
        }
        const size_t len = strlen(line);
        line[len] = '\n'; /* in place of the NUL */
        result = wring_exchange_answer_write(exchange, wring_bytes_of(line, len + 1));
        *id = result == WRING_OK ? next : *id;
        free(line);
    }
    /* Full: `drained` goes on. Closed: the client is gone, or asked with HEAD. */
    if (result != WRING_OK && result != WRING_ERR_QUEUE_FULL && result != WRING_ERR_CLOSED) {
        wring_exchange_abort(exchange);
    }
}

/* GET /notes */
static void list_begin(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer stream = {.struct_size = sizeof stream,
                                 .content_type = "application/x-ndjson"};
    (void)request;
    (void)opts;
    if (wring_exchange_answer_begin(exchange, &stream) == WRING_OK) {
        list_more(exchange);
    }
}

const wring_http_handler api_notes = {.struct_size = sizeof api_notes,
                                      .name = "notes",
                                      .state_size = sizeof(size_t),
                                      .request = list_begin,
                                      .drained = list_more};

void api_notes_free(void) {
    for (size_t id = 1; id <= note_last; id++) {
        free(notes[id]);
    }
}
