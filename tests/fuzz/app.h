/* SPDX-License-Identifier: Apache-2.0
 *
 * An application whose every callback does what the input says, right or wrong: replies of all
 * kinds, none, many; closes with any code; stops; sends when it is too late. Each call's result is
 * checked against the contract, and what was taken is kept, to be compared with what the peer got.
 */
#ifndef WRING_TESTS_FUZZ_APP_H
#define WRING_TESTS_FUZZ_APP_H

#include "tests/fuzz/fuzz.h"
#include "wring/server.h"

typedef struct fuzz_app {
    wring_bytes script;   /* what the callbacks do, each takes from the front */
    wring_server *server; /* NULL: no server owns the session */
    bool allow_iana;      /* as in the session's config */
    bool is_one_of_many;  /* the route has several sessions: its opts are not this */
    size_t budget;        /* bytes the application still sends of its own */
    wring_ref ref;        /* of the session, also when it is gone */
    fuzz_log sent;        /* messages taken, as fuzz_log_message */
    fuzz_log got;         /* messages shown, as fuzz_log_message */
    size_t pings;         /* taken */
    bool mailed;          /* something went by mail: `sent` is not all there is */
    bool closed;          /* this end closed first, with close_code on the wire */
    uint16_t close_code;
    unsigned inits;
    unsigned terminates;
    unsigned posts; /* taken */
    unsigned infos; /* posts that arrived */
    unsigned losts; /* posts that found no session */
    wring_end end;
} fuzz_app;

/* Give it a fuzz_app as opts. */
extern const wring_handler fuzz_app_handler;

/* One thing the script says, outside a callback. True when it wants to stop. */
bool fuzz_app_act(fuzz_app *app, wring_session *session, const wring_message *message);

/* Pushes by ref, as another thread would. */
void fuzz_app_push(fuzz_app *app, wring_bytes *in);

/* After everything: callbacks came as often as promised, and `wire`, which the peer read from the
 * session, is what was sent: all of it, or a prefix when the stream was cut. */
void fuzz_app_check(const fuzz_app *app, const fuzz_wire *wire, bool cut);

/* What was shown is what a machine of its own, of this role, makes of `bytes`, all that came for
 * it: the whole of it when the session ended by what the peer did and nothing was lost, else a
 * prefix. */
void fuzz_app_check_got(const fuzz_app *app, wring_role role, const wring_session_config *config,
                        wring_bytes bytes, bool cut);

void fuzz_app_free(fuzz_app *app);

#endif
