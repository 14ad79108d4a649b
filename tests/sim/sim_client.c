/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of a scenario: the pull-style session in client role on a simulated socket.
 */
#include <stdlib.h>

#include "proto/http1.h"
#include "tests/sim/sim_test.h"

void sim_client_init(sim_client *client, sim_run *run) {
    memset(client, 0, sizeof *client);
    client->run = run;
    client->socket = WRING__SOCKET_NONE;
}

static void dial(sim_client *client) {
    char offer[WRING_DEFLATE_TEXT_MAX];
    wring_h1_client_options options = {0};
    if (sim_deflate != NULL &&
        (client->must_deflate || wring__sim_random(client->run->world, 4) != 0)) {
        EXPECT(wring_deflate_create(sim_deflate, &client->contexts, NULL) == WRING_OK);
        (void)wring_deflate_offer(wring__deflate_pool_config(client->contexts), offer);
        options.extensions = offer;
    }
    client->socket = wring__sim_dial(client->run->world, client->run->port);
    EXPECT(client->socket != WRING__SOCKET_NONE);
    EXPECT(wring_h1_client_key(client->key) == WRING_OK);
    EXPECT(wring_h1_request_write("sim", "/", client->key, &options, (char *)client->request,
                                  sizeof client->request, &client->request_len) == WRING_OK);
    client->phase = CLIENT_UPGRADING;
    if (client->run->client_tls != NULL) {
        const wring__tls_options tls = {.out = &client->tls_out, .server_name = "127.0.0.1"};
        EXPECT(wring__tls_create(client->run->client_tls, &tls, &client->tls) == WRING_OK);
        EXPECT(wring__tls_handshake(client->tls) == WRING_MORE);
    }
}

static void gone(sim_client *client) {
    if (client->phase == CLIENT_GONE) {
        return;
    }
    client->phase = CLIENT_GONE;
    wring__sim_peer_close(client->run->world, client->socket, false);
}

void sim_client_cut(sim_client *client, bool reset) {
    if (client->phase == CLIENT_GONE || client->phase == CLIENT_NEW) {
        return;
    }
    client->phase = CLIENT_GONE;
    wring__sim_peer_close(client->run->world, client->socket, reset);
}

void sim_client_deinit(sim_client *client) {
    wring__tls_destroy(client->tls);
    wring__outq_deinit(&client->tls_out, NULL);
    wring_session_destroy(client->session);
    wring_deflate_destroy(client->contexts);
}

/* With what the response says of permessage-deflate. */
static void session_make(sim_client *client, wring_headers headers) {
    const wring_session_config *servers = &client->run->server->config.session;
    wring_session_config config = {.struct_size = sizeof config,
                                   .role = WRING_ROLE_CLIENT,
                                   .allow_iana_close_codes = servers->allow_iana_close_codes};
    wring_deflate_params params;
    wring_error error;
    bool accepted = false;
    if (client->contexts != NULL) {
        EXPECT(wring_deflate_parse_response(headers, wring__deflate_pool_config(client->contexts),
                                            false, &params, &accepted, &error) == WRING_OK);
        EXPECT(accepted);
        config.deflate = client->contexts;
        config.deflate_params = &params;
    }
    EXPECT(wring_session_create(&config, &client->session, &error) == WRING_OK);
}

static void events_take(sim_client *client) {
    wring_event event;
    while (wring_session_next(client->session, &event) == WRING_OK) {
        switch (event.kind) {
        case WRING_EVENT_MESSAGE:
            client->on_message(client, &event.message);
            break;
        case WRING_EVENT_END:
            client->ended = true;
            client->end = event.end;
            break;
        }
    }
}

static void session_bytes(sim_client *client, uint8_t *data, size_t len) {
    wring_mut_bytes bytes = {data, len};
    EXPECT(wring_session_feed(client->session, bytes, wring__sim_now(client->run->world)) ==
           WRING_OK);
    events_take(client);
}

static void head_bytes(sim_client *client, const uint8_t *data, size_t len) {
    wring__http1 parser;
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    wring_bytes subprotocol;
    EXPECT(client->head_len + len <= sizeof client->head);
    memcpy(client->head + client->head_len, data, len);
    client->head_len += len;
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, sizeof client->head, 100);
    wring_result result =
        wring__http1_parse(&parser, wring_bytes_of(client->head, client->head_len));
    if (result == WRING_MORE) {
        return;
    }
    EXPECT(result == WRING_OK);
    const wring_headers headers = wring__http1_headers(&parser, client->head, list);
    const wring_h1_client_options options = {.extensions = client->contexts == NULL ? NULL : ""};
    EXPECT(wring_h1_validate_response(parser.status, headers, client->key, &options,
                                      &subprotocol) == WRING_OK);
    session_make(client, headers);
    client->phase = CLIENT_OPEN;
    EXPECT(wring_session_open(client->session, wring__sim_now(client->run->world)) == WRING_OK);
    client->on_open(client);
    if (client->head_len > parser.position) {
        session_bytes(client, client->head + parser.position, client->head_len - parser.position);
    }
}

static void plain_bytes(sim_client *client, uint8_t *data, size_t len) {
    if (len > 0 && client->phase == CLIENT_UPGRADING) {
        head_bytes(client, data, len);
    } else if (len > 0) {
        session_bytes(client, data, len);
    }
}

static void tls_bytes(sim_client *client, uint8_t *data, size_t len) {
    uint8_t plain[512];
    size_t n = 0;
    wring_result result = wring__tls_receive(client->tls, (wring_mut_bytes){data, len});
    while (result == WRING_OK) {
        result = wring__tls_read(client->tls, plain, sizeof plain, &n);
        if (result == WRING_OK && n == 0) {
            break; /* close_notify */
        }
        plain_bytes(client, plain, n);
    }
    EXPECT(result == WRING_OK || result == WRING_MORE);
}

static void receive(sim_client *client) {
    uint8_t buffer[512];
    bool end = false;
    bool reset = false;
    size_t len = wring__sim_peer_recv(client->run->world, client->socket, buffer, sizeof buffer,
                                      &end, &reset);
    if (client->tls == NULL) {
        plain_bytes(client, buffer, len);
    } else if (len > 0) {
        tls_bytes(client, buffer, len);
    }
    if (end && client->session != NULL) {
        wring_session_eof(client->session);
        events_take(client);
    }
    if (end) {
        gone(client);
    }
}

/* Takes plain bytes: to the socket, or as one record, when those before have gone. */
static size_t plain_send(sim_client *client, wring_bytes bytes) {
    if (client->tls == NULL) {
        return wring__sim_peer_send(client->run->world, client->socket, bytes);
    }
    bytes.len = wring__min_size(bytes.len, 2000);
    struct iovec iov = {(void *)(uintptr_t)bytes.data, bytes.len};
    const bool taken =
        client->tls_out.bytes == 0 && wring__tls_write(client->tls, &iov, 1) == WRING_OK;
    return taken ? bytes.len : 0;
}

static void tls_flush(sim_client *client) {
    struct iovec iov;
    if (wring__outq_gather(&client->tls_out, &iov, 1) == 1) {
        const wring_bytes bytes = wring_bytes_of(iov.iov_base, iov.iov_len);
        wring__outq_consume(&client->tls_out, NULL,
                            wring__sim_peer_send(client->run->world, client->socket, bytes));
    }
}

static void transmit(sim_client *client) {
    if (client->request_sent < client->request_len) {
        client->request_sent +=
            plain_send(client, wring_bytes_of(client->request + client->request_sent,
                                              client->request_len - client->request_sent));
    } else if (client->session != NULL) {
        wring_bytes out = wring_session_output(client->session);
        size_t taken = out.len == 0 ? 0 : plain_send(client, out);
        if (taken > 0) {
            wring_session_sent(client->session, taken);
        }
    }
    if (client->tls != NULL) {
        tls_flush(client);
    }
}

void sim_client_step(sim_client *client) {
    if (client->phase == CLIENT_NEW) {
        dial(client);
    }
    if (client->phase != CLIENT_GONE) {
        transmit(client);
        receive(client);
    }
}

void sim_client_talk(sim_client *client) {
    if (client->phase == CLIENT_UPGRADING || client->phase == CLIENT_OPEN) {
        transmit(client);
    }
}

void sim_client_listen(sim_client *client) {
    if (client->phase == CLIENT_UPGRADING || client->phase == CLIENT_OPEN) {
        receive(client);
    }
}

void sim_client_send(sim_client *client, wring_frame frame) {
    EXPECT(wring_session_send(client->session, &frame) == WRING_OK);
}
