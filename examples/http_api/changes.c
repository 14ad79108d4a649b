/* SPDX-License-Identifier: Apache-2.0
 *
 * What changed: to event streams and WebSockets, in the same order everywhere.
 */
#include "examples/http_api/api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC        "changes" /* of /live */
#define WATCHERS_MAX 1000

enum { CHANGE, SHUTDOWN };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static wring_ref watchers[WATCHERS_MAX];                 /* exchanges of /events */
static size_t watcher_count;
static unsigned long long change_count;
static bool is_stopping; /* kept connections are served for a moment: no new streams then */

static void info_lost(const wring_info *info) {
    free(info->data);
}

void api_changed(wring_server *server, const char *what, size_t id, const char *text) {
    json_t *json =
        json_pack("{s:s, s:I, s:s*}", "change", what, "id", (json_int_t)id, "text", text);
    char *line = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (line == NULL) {
        return;
    }
    const wring_frame frame = wring_frame_text(wring_str(line));
    (void)!wring_server_publish(server, wring_str(TOPIC), &frame);
    const size_t size = strlen(line) + 64;
    pthread_mutex_lock(&lock);
    change_count++;
    for (size_t i = 0; i < watcher_count; i++) {
        const wring_info info = {CHANGE, malloc(size)};
        if (info.data == NULL) {
            continue; /* the ids of its events show that one is missing */
        }
        snprintf(info.data, size, "id: %llu\ndata: %s\n\n", change_count, line);
        if (wring_ref_post(watchers[i], &info, info_lost) != WRING_OK) {
            free(info.data);
        }
    }
    pthread_mutex_unlock(&lock);
    free(line);
}

/* ---- /events --------------------------------------------------------------------------------- */

static void events_begin(wring_exchange *exchange, const wring_request *request, void *opts) {
    wring_ref *ref = wring_exchange_user(exchange);
    const wring_header unbuffered = {wring_str("X-Accel-Buffering"), wring_str("no")}; /* nginx */
    const wring_answer stream = {.struct_size = sizeof stream,
                                 .content_type = "text/event-stream",
                                 .headers = {&unbuffered, 1},
                                 .body = wring_str(": changes from now on\n\n")};
    (void)request;
    (void)opts;
    pthread_mutex_lock(&lock);
    const bool has_room = !is_stopping && watcher_count < WATCHERS_MAX &&
                          wring_exchange_ref(exchange, ref) == WRING_OK;
    if (has_room) {
        watchers[watcher_count++] = *ref;
    }
    pthread_mutex_unlock(&lock);
    if (!has_room) {
        api_answer_error(exchange, 503, "no more can look on: try again later");
    } else if (wring_exchange_answer_begin(exchange, &stream) != WRING_OK) {
        wring_exchange_abort(exchange); /* it has a ref, and nobody else would answer */
    }
}

static void events_info(wring_exchange *exchange, const wring_info *info) {
    const wring_result result = info->tag == SHUTDOWN
                                    ? wring_exchange_answer_end(exchange)
                                    : wring_exchange_answer_write(exchange, wring_str(info->data));
    free(info->data);
    if (result != WRING_OK) { /* it does not read: its EventSource may come again */
        wring_exchange_abort(exchange);
    }
}

static void events_done(wring_exchange *exchange, const wring_exchange_end *end) {
    const wring_ref *ref = wring_exchange_user(exchange);
    (void)end;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < watcher_count; i++) {
        if (watchers[i] == *ref) {
            watchers[i] = watchers[--watcher_count];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

void api_events_stop(void) {
    const wring_info info = {SHUTDOWN, NULL};
    pthread_mutex_lock(&lock);
    is_stopping = true;
    for (size_t i = 0; i < watcher_count; i++) {
        (void)!wring_ref_post(watchers[i], &info, NULL);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- /live ----------------------------------------------------------------------------------- */

/* Before anything of an upgrade is answered. */
void api_live_decide(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_accept accept = {
        .struct_size = sizeof accept, .data = api_user_of(request), .lost = free};
    (void)opts;
    if (accept.data == NULL) {
        api_answer_error(exchange, 401, "a token or the cookie of /session is needed");
    } else if (wring_exchange_accept(exchange, &accept) != WRING_OK) {
        free(accept.data); /* not taken; the client gets 500 */
    }
}

static wring_verdict live_init(wring_session *session, const wring_request *request, void *opts) {
    char *name = request->accept_data; /* ours now */
    json_t *json = json_pack("{s:s}", "hello", name);
    char *text = json_dumps(json, JSON_COMPACT);
    (void)opts;
    bool ok = wring_session_subscribe(session, wring_str(TOPIC)) == WRING_OK && text != NULL;
    if (ok) {
        const wring_frame frame = wring_frame_text(wring_str(text));
        ok = wring_session_send(session, &frame) == WRING_OK;
    }
    free(text);
    free(name);
    json_decref(json);
    return ok ? WRING_CONTINUE : WRING_STOP;
}

const wring_http_handler api_events = {.struct_size = sizeof api_events,
                                       .name = "events",
                                       .state_size = sizeof(wring_ref),
                                       .request = events_begin,
                                       .info = events_info,
                                       .done = events_done};
const wring_handler api_live = {.struct_size = sizeof api_live, .name = "live", .init = live_init};
