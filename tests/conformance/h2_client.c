/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/h2_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/certs/certs.h"
#include "tests/conformance/deflate.h"
#include "wring/http2.h"

static wring_pool *pool;

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

static void pool_end(void) {
    wring_pool_destroy(pool, 1000);
}

static void pool_begin(void) {
    if (pool == NULL) {

        check(wring_pool_create(NULL, &pool, NULL) == WRING_OK, "wring_pool_create");
        atexit(pool_end);
    }
}

wring_client *h2_client_create(const char *url, bool is_small) {
    const bool is_tls = strncmp(url, "wss:", 4) == 0;
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "echo", .handle_in = echo};
    const wring_http2_config http2 = {.struct_size = sizeof http2,
                                      .cleartext = !is_tls,
                                      .required = true,
                                      .window_bytes = is_small ? 1024 : 0,
                                      .idle_timeout_ms = WRING_OFF,

                                      .controls_per_second = is_small ? WRING_UNLIMITED : 0};
    const wring_tls_client_config with_tls = {.struct_size = sizeof with_tls,
                                              .ca_file = is_tls ? cert_path("ca.pem") : NULL};
    const struct deflate_set none = {0};
    const wring_deflate_config deflate =
        deflate_client_config(link_deflate == NULL ? &none : link_deflate);
    const wring_client_config config = {.struct_size = sizeof config,
                                        .handler = &handler,
                                        .tls = is_tls ? &with_tls : NULL,
                                        .deflate = link_deflate == NULL ? NULL : &deflate,
                                        .http2 = &http2};
    wring_client *client = NULL;
    pool_begin();
    check(wring_client_create(wring_pool_loop(pool), url, &config, &client, NULL) == WRING_OK,
          "wring_client_create");
    return client;
}
