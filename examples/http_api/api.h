/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of http_api share. What it does is told in main.c.
 */
#ifndef EXAMPLES_HTTP_API_H
#define EXAMPLES_HTTP_API_H

#include <jansson.h>
#include <wring/wring.h>

/* ---- json.c ---------------------------------------------------------------------------------- */

extern const wring_headers api_no_headers;

/** Takes `json`. Where it is NULL, the client gets 500. */
void api_answer_json(wring_exchange *exchange, uint16_t status, json_t *json,
                     wring_headers headers);

/** {"error": text} */
void api_answer_error(wring_exchange *exchange, uint16_t status, const char *text);

/** 204 */
void api_answer_nothing(wring_exchange *exchange, wring_headers headers);

/** Reads one member of the body, an object, as json_unpack does. False: the request was answered,
 *  with 400 for what is no JSON, and 422 for any other JSON.
 *  @param json   to be freed with json_decref; a text in `value` is good until then
 *  @param value  what `format` asks for, such as a const char ** */
bool api_body_read(wring_exchange *exchange, json_t **json, const char *format, const char *name,
                   void *value);

/* ---- access.c -------------------------------------------------------------------------------- */

extern const char *api_token; /* that clients have to know; set before the server starts */

/** Whether a request has the token. False: it was answered, with 401. */
bool api_is_allowed(wring_exchange *exchange, const wring_request *request);

/** Who has the token or the cookie of api_session_post. To be freed; NULL: nobody. */
char *api_user_of(const wring_request *request);

void api_session_post(wring_exchange *exchange, const wring_request *request, void *opts);

/* ---- changes.c ------------------------------------------------------------------------------- */

extern const wring_http_handler api_events;
extern const wring_handler api_live;

void api_live_decide(wring_exchange *exchange, const wring_request *request, void *opts);

/** Tells all that look on. Of several threads, one at a time. */
void api_changed(wring_server *server, const char *what, size_t id, const char *text);

/** Ends the event streams and refuses new ones: they have no end of their own, and stopping a
 *  server waits for it. */
void api_events_stop(void);

/* ---- notes.c --------------------------------------------------------------------------------- */

extern const wring_http_handler api_notes;

void api_note_get(wring_exchange *exchange, const wring_request *request, void *opts);
void api_note_post(wring_exchange *exchange, const wring_request *request, void *opts);
void api_note_put(wring_exchange *exchange, const wring_request *request, void *opts);
void api_note_delete(wring_exchange *exchange, const wring_request *request, void *opts);
void api_notes_free(void);

/* ---- primes.c -------------------------------------------------------------------------------- */

void api_primes_post(wring_exchange *exchange, const wring_request *request, void *opts);
void api_pool_start(void);
void api_pool_end(void);

#endif
