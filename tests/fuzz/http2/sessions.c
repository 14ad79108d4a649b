/* SPDX-License-Identifier: Apache-2.0
 *
 * The sessions of a connection: each is a fuzz_app of its own, with its part of the script, and
 * knows its stream. See scene.h.
 */
#include <stdlib.h>

#include "server/exchange.h"
#include "tests/fuzz/http2/scene.h"

#define SCRIPT_EACH 24

struct scene *scene_now;

static uint64_t tag_of(const wring__stream *stream) {
    return stream->end.kind == WRING__END_MUX ? (uint64_t)(uint32_t)stream->mux.id : 0;
}

uint64_t tag_of_exchange(const wring_exchange *exchange) {
    return tag_of(&exchange->peer->stream);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    struct scene *scene = scene_now;
    fuzz_given *what = request->accept_data;
    FUZZ_CHECK(opts == scene->app && scene->session_count < SESSIONS_MAX);
    if (what != NULL) {
        FUZZ_CHECK(what->is_taken && what->losts == 0 && ++what->inits == 1);
    }
    carried *mine = calloc(1, sizeof *mine);
    FUZZ_CHECK(mine != NULL);
    scene->sessions[scene->session_count++] = mine;
    mine->tag = tag_of(wring__stream_of(session));
    mine->app.is_one_of_many = true;
    mine->app.server = scene->server;
    mine->app.budget = 3000;
    mine->app.script = fuzz_take(&scene->session_script, SCRIPT_EACH);
    return fuzz_app_handler.init(session, request, &mine->app);
}

wring_handler sessions_handler(void) {
    wring_handler handler = fuzz_app_handler;
    handler.init = on_init;
    return handler;
}
