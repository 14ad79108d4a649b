/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of a scenario: the sans-I/O machine in client role on a simulated socket.
 */
#include <stdlib.h>

#include "proto/http1.h"
#include "tests/sim/sim_test.h"
#include "wring/upgrade.h"

static void dial(sim_client *client) {
    char offer[WRING_DEFLATE_TEXT_MAX];
    const wring_upgrade_offer asked = {.struct_size = sizeof asked,
                                       .host = "sim",
                                       .target = "/",
                                       .extensions = sim_client_offer(client, offer)};
    client->socket = wring__sim_dial(client->run->world, client->run->port);
    EXPECT(client->socket != WRING__SOCKET_NONE);
    EXPECT(wring_h1_client_key(client->key) == WRING_OK);
    EXPECT(wring_h1_request_write(&asked, client->key, (char *)client->request,
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
    const wring_upgrade_offer asked = {.struct_size = sizeof asked,
                                       .extensions = client->contexts == NULL ? NULL : ""};
    EXPECT(wring_h1_response_validate(&asked, client->key, parser.status, headers, &subprotocol) ==
           WRING_OK);
    sim_client_open(client, headers);
    if (client->head_len > parser.position) {
        sim_client_bytes(client, client->head + parser.position,
                         client->head_len - parser.position);
    }
}

static void plain_bytes(sim_client *client, uint8_t *data, size_t len) {
    if (len > 0 && client->phase == CLIENT_UPGRADING) {
        head_bytes(client, data, len);
    } else if (len > 0) {
        sim_client_bytes(client, data, len);
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
    if (end && client->machine != NULL) {
        sim_client_eof(client);
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
    } else if (client->machine != NULL) {
        wring_bytes out = wring_machine_output(client->machine);
        size_t taken = out.len == 0 ? 0 : plain_send(client, out);
        if (taken > 0) {
            wring_machine_sent(client->machine, taken);
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

void sim_client_forget(sim_client *client) {
    wring__tls_destroy(client->tls);
    wring__outq_deinit(&client->tls_out, NULL);
}
