/* SPDX-License-Identifier: Apache-2.0
 *
 * A client from its request to its last frame: wring_h1_request_write, the response head as it
 * trickles in, wring_h1_response_validate, then a session in client role over a stream of the
 * embedder's (wring/embed.h). The input is what the server answers, what the application does
 * (app.h), and when the stream fails. Checked: the request is one a server accepts; callbacks and
 * the stream's calls come as promised, none after close; what goes out is masked, legal, and all
 * that was sent.
 *
 *     flags | limits | length and bytes of the script | what the server and the embedder do
 */
#include <stdlib.h>

#include "proto/session.h"
#include "tests/fuzz/app.h"
#include "tests/fuzz/head.h"
#include "wring/embed.h"
#include "wring/upgrade.h"

enum {
    FLAG_ACCEPT = 1, /* a legal 101 comes first */
    FLAG_SUBPROTOCOL = 2,
    FLAG_IANA = 4,
    FLAG_TIMEOUTS = 8
};

/* Below SAYS_MAX the server sends so many bytes of the input, plus one. */
enum { SAYS_MAX = 0xC0 };
enum act {
    ACT_ACCEPT = 0xE0,
    ACT_FRAME,
    ACT_CLOSE_FRAME,
    ACT_END,          /* the stream ends */
    ACT_BREAK,        /* it breaks */
    ACT_TIME,         /* time passes */
    ACT_APPLICATION,  /* the application acts outside a callback */
    ACT_SEND_FAILS,   /* the stream takes no more */
    ACT_ASKING_FAILS, /* nor can be asked */
    ACT_TWO_AT_ONCE   /* what the server sends next comes with what comes after it */
};

#define HEAD_MAX 2048

struct scene {
    uint8_t flags;
    fuzz_app app;
    wring_session_config config;
    uint64_t now;
    char key[25];
    wring_embed *embed; /* NULL before the upgrade and after the end */
    fuzz_log head;      /* the response as far as it came */
    fuzz_log held;      /* said, to be received with what follows */
    fuzz_log given;     /* what the session was given */
    fuzz_log out;       /* what the session sent */
    bool hold;
    bool send_fails;
    bool asking_fails;
    bool failed;  /* a call of the stream did */
    bool refused; /* the answer was none, or no upgrade */
    bool upgraded;
    bool closed; /* the stream */
    unsigned asked;
};

static const char *const subprotocols[] = {"chat"};

/* ---- the stream ------------------------------------------------------------------------------ */

static wring_result stream_send(void *handle, wring_bytes bytes) {
    struct scene *scene = handle;
    FUZZ_CHECK(!scene->closed && bytes.len > 0);
    if (scene->send_fails) {
        scene->failed = true;
        return WRING_ERR_TRANSPORT;
    }
    fuzz_log_bytes(&scene->out, bytes);
    return WRING_OK;
}

static wring_result stream_activate(void *handle) {
    struct scene *scene = handle;
    FUZZ_CHECK(!scene->closed && scene->asked == 0); /* one batch at a time */
    if (scene->asking_fails) {
        scene->failed = true;
        return WRING_ERR_TRANSPORT;
    }
    scene->asked++;
    return WRING_OK;
}

static void stream_close(void *handle) {
    struct scene *scene = handle;
    FUZZ_CHECK(!scene->closed && scene->app.terminates == 1);
    scene->closed = true;
}

static bool stream_peername(void *handle, char *out, size_t cap) {
    (void)handle;
    FUZZ_CHECK(cap > 3);
    memcpy(out, "sim", 4);
    return true;
}

static const wring_transport stream = {.struct_size = sizeof stream,
                                       .name = "fuzz",
                                       .send = stream_send,
                                       .activate = stream_activate,
                                       .close = stream_close,
                                       .peername = stream_peername};

/* After each call: the session is gone exactly when the call said so and closed the stream. */
static void settled(struct scene *scene, wring_result result) {
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_CLOSED);
    FUZZ_CHECK((result == WRING_ERR_CLOSED) == scene->closed);
    if (scene->closed) {
        scene->embed = NULL;
    } else {
        const wring_machine *machine = &wring_embed_session(scene->embed)->machine;
        FUZZ_CHECK(wring_machine_output(machine).len == 0); /* nothing is kept back */
        FUZZ_CHECK(wring_machine_get_state(machine) != WRING_MACHINE_CLOSED);
        FUZZ_CHECK(wring_embed_deadline_ns(scene->embed) != 0);
    }
}

/* ---- the upgrade ----------------------------------------------------------------------------- */

static wring_upgrade_offer offer_of(const struct scene *scene) {
    const wring_upgrade_offer offer = {.struct_size = sizeof offer,
                                       .host = "h:1",
                                       .target = "/x?y",
                                       .subprotocols = subprotocols,
                                       .subprotocol_count =
                                           (scene->flags & FLAG_SUBPROTOCOL) != 0 ? 1 : 0,
                                       .origin = "http://h"};
    return offer;
}

/* The request is one that the server's half of this library accepts. */
static void request_make(struct scene *scene) {
    char request[512];
    size_t len;
    size_t head_len;
    const wring_upgrade_offer offer = offer_of(scene);
    FUZZ_CHECK(wring_h1_client_key(scene->key) == WRING_OK);
    FUZZ_CHECK(wring_h1_request_write(&offer, scene->key, request, sizeof request, &len) ==
               WRING_OK);
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request parsed = {.struct_size = sizeof parsed};
    FUZZ_CHECK(wring_h1_request_parse(wring_bytes_of(request, len), list, &parsed, &head_len) ==
               WRING_OK);
    const wring_upgrade_options required = {.struct_size = sizeof required,
                                            .required_subprotocols = subprotocols,
                                            .required_subprotocol_count = offer.subprotocol_count};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    FUZZ_CHECK(head_len == len && wring_bytes_equal(parsed.path, wring_str("/x")));
    FUZZ_CHECK(wring_h1_request_validate(parsed.method, parsed.headers, &required, &info) ==
               WRING_OK);
}

static void data_give(struct scene *scene, const uint8_t *data, size_t len) {
    uint8_t *copy = fuzz_copy(wring_bytes_of(data, len));
    wring_mut_bytes bytes = {copy, len};
    FUZZ_CHECK(scene->asked == 1);
    fuzz_log_bytes(&scene->given, wring_bytes_of(data, len));
    scene->asked = 0;
    settled(scene, wring_embed_feed(scene->embed, bytes, scene->now));
    FUZZ_CHECK(scene->closed || scene->asked == 1);
    free(copy);
}

static void upgraded(struct scene *scene, wring_bytes subprotocol) {
    wring_request request = {.struct_size = sizeof request,
                             .method = wring_str("GET"),
                             .target = wring_str("/x?y"),
                             .subprotocol = subprotocol};
    wring_error error;
    scene->upgraded = true;
    const wring_embed_options options = {.struct_size = sizeof options,
                                         .role = WRING_ROLE_CLIENT,
                                         .transport = &stream,
                                         .stream = scene,
                                         .handler = &fuzz_app_handler,
                                         .opts = &scene->app,
                                         .request = &request,
                                         .session = &scene->config};
    wring_result result = wring_embed_accept(&options, scene->now, &scene->embed, &error);
    FUZZ_CHECK(scene->app.inits == 1 && scene->asked == 0);
    settled(scene, result);
    uint8_t early = 0;
    wring_mut_bytes bytes = {&early, 1};
    if (!scene->closed) {
        FUZZ_CHECK(wring_embed_feed(scene->embed, bytes, scene->now) == WRING_ERR_INVALID_STATE);
        settled(scene, wring_embed_activate(scene->embed, scene->now));
    }
}

static void head_receive(struct scene *scene, wring_bytes bytes) {
    wring__http1 parser;
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    wring_bytes subprotocol;
    fuzz_log_bytes(&scene->head, bytes);
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, HEAD_MAX, 100);
    wring_result result =
        wring__http1_parse(&parser, wring_bytes_of(scene->head.data, scene->head.len));
    if (result == WRING_MORE) {
        FUZZ_CHECK(scene->head.len < HEAD_MAX);
        return;
    }
    if (result == WRING_OK) {
        const wring_upgrade_offer offer = offer_of(scene);
        result = wring_h1_response_validate(&offer, scene->key, parser.status,
                                            wring__http1_headers(&parser, scene->head.data, list),
                                            &subprotocol);
    }
    if (result != WRING_OK) {
        scene->refused = true;
        return;
    }
    upgraded(scene, subprotocol);
    size_t rest = scene->head.len - parser.position;
    if (!scene->closed && rest > 0) {
        data_give(scene, scene->head.data + parser.position, rest);
    }
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void server_says(struct scene *scene, wring_bytes bytes) {
    fuzz_log_bytes(&scene->held, bytes);
    if (scene->hold) {
        scene->hold = false;
        return;
    }
    wring_bytes all = {scene->held.data, scene->held.len};
    if (all.len == 0 || scene->refused || scene->closed) {
        scene->held.len = 0;
        return;
    }
    if (scene->upgraded) {
        data_give(scene, all.data, all.len);
    } else {
        head_receive(scene, all);
    }
    scene->held.len = 0;
}

static void server_accepts(struct scene *scene) {
    char accept[29];
    fuzz_log text = {0};
    FUZZ_CHECK(wring_h1_accept_key(wring_str(scene->key), accept) == WRING_OK);
    fuzz_log_bytes(&text, wring_str("HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Accept: "));
    fuzz_log_bytes(&text, wring_str(accept));
    fuzz_log_bytes(&text, wring_str("\r\n\r\n"));
    server_says(scene, wring_bytes_of(text.data, text.len));
    fuzz_log_free(&text);
}

static void server_frame(struct scene *scene, wring_bytes *in, bool closes) {
    uint8_t code[2] = {0x03, 0xE8};
    fuzz_log frame = {0};
    uint8_t first = closes ? 0x88 : fuzz_u8(in);
    wring_bytes payload = closes ? wring_bytes_of(code, 2) : fuzz_take(in, fuzz_u8(in));
    fuzz_frame_write(&frame, WRING_ROLE_CLIENT, first, payload, 0);
    server_says(scene, wring_bytes_of(frame.data, frame.len));
    fuzz_log_free(&frame);
}

static void stream_ends(struct scene *scene, wring_result reason) {
    wring_embed_fail(scene->embed, reason, scene->now);
    settled(scene, WRING_ERR_CLOSED);
    FUZZ_CHECK(scene->app.end.result == reason && scene->app.end.by_peer);
}

static void application_acts(struct scene *scene) {
    (void)fuzz_app_act(&scene->app, wring_embed_session(scene->embed), NULL);
    settled(scene, wring_embed_flush(scene->embed, scene->now));
}

/* What needs a living session is left out without one. */
static void session_act(struct scene *scene, wring_bytes *in, enum act op) {
    if (scene->embed == NULL) {
        return;
    }
    if (op == ACT_END) {
        stream_ends(scene, WRING_ERR_TRUNCATED);
    } else if (op == ACT_BREAK) {
        stream_ends(scene, WRING_ERR_TRANSPORT);
    } else if (op == ACT_TIME) {
        scene->now += (uint64_t)fuzz_u8(in) * 100 * WRING_NS_PER_MS;
        settled(scene, wring_embed_expire(scene->embed, scene->now));
    } else if (op == ACT_APPLICATION) {
        application_acts(scene);
    }
}

static void act(struct scene *scene, wring_bytes *in) {
    uint8_t op = fuzz_u8(in);
    if (op < SAYS_MAX) {
        server_says(scene, fuzz_take(in, op + 1u));
    }
    switch ((enum act)op) {
    case ACT_ACCEPT:
        server_accepts(scene);
        break;
    case ACT_FRAME:
    case ACT_CLOSE_FRAME:
        server_frame(scene, in, op == ACT_CLOSE_FRAME);
        break;
    case ACT_END:
    case ACT_BREAK:
    case ACT_TIME:
    case ACT_APPLICATION:
        session_act(scene, in, (enum act)op);
        break;
    case ACT_SEND_FAILS:
        scene->send_fails = true;
        break;
    case ACT_ASKING_FAILS:
        scene->asking_fails = true;
        break;
    case ACT_TWO_AT_ONCE:
        scene->hold = true;
        break;
    }
}

/* ---- the target ------------------------------------------------------------------------------ */

static void out_check(const struct scene *scene) {
    FUZZ_CHECK(!(scene->refused && scene->upgraded));
    FUZZ_CHECK(scene->app.inits == scene->upgraded && scene->closed == scene->upgraded);
    fuzz_wire wire = fuzz_wire_read(WRING_ROLE_CLIENT,
                                    wring_bytes_of(scene->out.data, scene->out.len), scene->failed);
    fuzz_app_check(&scene->app, &wire, scene->failed);
    fuzz_app_check_got(&scene->app, WRING_ROLE_CLIENT, &scene->config,
                       wring_bytes_of(scene->given.data, scene->given.len), scene->failed);
    fuzz_wire_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    struct scene scene = {.flags = fuzz_u8(&in), .now = 1, .app = {.budget = 100000}};
    uint8_t limits = fuzz_u8(&in);
    bool timeouts = (scene.flags & FLAG_TIMEOUTS) != 0;
    scene.config = (wring_session_config){
        .struct_size = sizeof scene.config,
        .frame_bytes_max = (limits & 1) != 0 ? 100 : 0,
        .message_bytes_max = (limits & 2) != 0 ? 200 : 0,
        .fragment_bytes_max = (limits & 4) != 0 ? 500 : 0,
        .idle_timeout_ms = timeouts ? 900 : 0,
        .ping_interval_ms = timeouts ? 300 : 0,
        .allow_iana_close_codes = (scene.flags & FLAG_IANA) != 0,
    };
    scene.app.allow_iana = scene.config.allow_iana_close_codes;
    scene.app.script = fuzz_take(&in, fuzz_u8(&in));
    request_make(&scene);
    if ((scene.flags & FLAG_ACCEPT) != 0) {
        server_accepts(&scene);
    }
    while (in.len > 0) {
        act(&scene, &in);
    }
    if (scene.embed != NULL) {
        stream_ends(&scene, WRING_ERR_TRUNCATED);
    }
    out_check(&scene);
    fuzz_app_free(&scene.app);
    fuzz_log_free(&scene.head);
    fuzz_log_free(&scene.held);
    fuzz_log_free(&scene.given);
    fuzz_log_free(&scene.out);
    return 0;
}
