/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of a scenario: the pull-style session in client role on a simulated socket.
 */
#include <stdlib.h>

#include "proto/http1.h"
#include "tests/sim/sim_test.h"

static void dial(sim_client *client) {
    char offer[WRING_DEFLATE_TEXT_MAX];
    const wring_h1_client_options options = {.extensions = sim_client_offer(client, offer)};
    client->socket = wring__sim_dial(client->run->world, client->run->port);
    EXPECT(client->socket != WRING__SOCKET_NONE);
    EXPECT(wring_h1_client_key(client->key) == WRING_OK);
    EXPECT(wring_h1_request_write("sim", "/", client->key, &options, (char *)client->request,
                                  sizeof client->request, &client->request_len) == WRING_OK);
    client->phase = CLIENT_UPGRADING;
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
    sim_client_open(client, headers);
    if (client->head_len > parser.position) {
        sim_client_bytes(client, client->head + parser.position,
                         client->head_len - parser.position);
    }
}

static void receive(sim_client *client) {
    uint8_t buffer[512];
    bool end = false;
    bool reset = false;
    size_t len = wring__sim_peer_recv(client->run->world, client->socket, buffer, sizeof buffer,
                                      &end, &reset);
    if (len > 0 && client->phase == CLIENT_UPGRADING) {
        head_bytes(client, buffer, len);
    } else if (len > 0) {
        sim_client_bytes(client, buffer, len);
    }
    if (end && client->session != NULL) {
        sim_client_eof(client);
    }
    if (end) {
        gone(client);
    }
}

static void transmit(sim_client *client) {
    wring__sim *world = client->run->world;
    if (client->request_sent < client->request_len) {
        client->request_sent +=
            wring__sim_peer_send(world, client->socket,
                                 wring_bytes_of(client->request + client->request_sent,
                                                client->request_len - client->request_sent));
        return;
    }
    if (client->session == NULL) {
        return;
    }
    wring_bytes out = wring_session_output(client->session);
    size_t taken = out.len == 0 ? 0 : wring__sim_peer_send(world, client->socket, out);
    if (taken > 0) {
        wring_session_sent(client->session, taken);
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

void sim_client_listen(sim_client *client) {
    if (client->phase == CLIENT_UPGRADING || client->phase == CLIENT_OPEN) {
        receive(client);
    }
}

void sim_client_forget(sim_client *client) {
    (void)client; /* it carries nothing but itself */
}
