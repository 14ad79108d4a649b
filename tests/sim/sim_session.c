/* SPDX-License-Identifier: Apache-2.0
 *
 * The half of a scenario's client that does not know what carries it: its machine.
 */
#include <stdlib.h>

#include "tests/sim/sim_test.h"

void sim_client_init(sim_client *client, sim_run *run) {
    memset(client, 0, sizeof *client);
    client->run = run;
    client->socket = WRING__SOCKET_NONE;
}

const char *sim_client_offer(sim_client *client, char offer[WRING_DEFLATE_TEXT_MAX]) {
    if (sim_deflate == NULL ||
        (!client->must_deflate && wring__sim_random(client->run->world, 4) == 0)) {
        return NULL;
    }
    EXPECT(wring_deflate_create(sim_deflate, &client->contexts, NULL) == WRING_OK);
    (void)wring_deflate_offer(wring__deflate_pool_config(client->contexts), offer);
    return offer;
}

/* With what the response says of permessage-deflate. */
static void machine_make(sim_client *client, wring_headers headers) {
    const wring_session_config *servers = &sim_run_policy(client->run)->session;
    const wring_session_config session = {
        .struct_size = sizeof session, .allow_iana_close_codes = servers->allow_iana_close_codes};
    wring_machine_config config = {
        .struct_size = sizeof config, .role = WRING_ROLE_CLIENT, .session = &session};
    wring_deflate_params params;
    wring_error error;
    bool accepted = false;
    if (client->contexts != NULL) {
        EXPECT(wring_deflate_response_parse(headers, wring__deflate_pool_config(client->contexts),
                                            false, &params, &accepted, &error) == WRING_OK);
        EXPECT(accepted);
        config.deflate = client->contexts;
        config.deflate_params = &params;
    }
    EXPECT(wring_machine_create(&config, &client->machine, &error) == WRING_OK);
}

static void events_take(sim_client *client) {
    wring_event event;
    while (wring_machine_next(client->machine, &event) == WRING_OK) {
        switch (event.kind) {
        case WRING_EVENT_MESSAGE:
            client->on_message(client, &event.message);
            break;
        case WRING_EVENT_END:
            client->ended = true;
            client->end.struct_size = sizeof client->end;
            EXPECT(wring_machine_get_end(client->machine, &client->end) == WRING_OK);
            break;
        }
    }
}

void sim_client_bytes(sim_client *client, uint8_t *data, size_t len) {
    wring_mut_bytes bytes = {data, len};
    EXPECT(wring_machine_feed(client->machine, bytes, wring__sim_now(client->run->world)) ==
           WRING_OK);
    events_take(client);
}

void sim_client_open(sim_client *client, wring_headers headers) {
    machine_make(client, headers);
    client->phase = CLIENT_OPEN;
    EXPECT(wring_machine_open(client->machine, wring__sim_now(client->run->world)) == WRING_OK);
    client->on_open(client);
}

void sim_client_eof(sim_client *client) {
    wring_machine_fail(client->machine, WRING_ERR_TRUNCATED);
    events_take(client);
}

void sim_client_deinit(sim_client *client) {
    sim_client_forget(client);
    wring_machine_destroy(client->machine);
    wring_deflate_destroy(client->contexts);
}

void sim_client_send(sim_client *client, wring_frame frame) {
    EXPECT(wring_machine_send(client->machine, &frame) == WRING_OK);
}
