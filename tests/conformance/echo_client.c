/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/echo_client.h"

#include "tests/conformance/deflate.h"

#include <stdlib.h>

static void check(bool ok) {
    if (!ok) {
        abort();
    }
}

wring_machine *echo_client_create(wring_deflate **contexts) {
    wring_machine_config config = {.struct_size = sizeof config, .role = WRING_ROLE_CLIENT};
    wring_deflate_params params;
    wring_machine *machine;
    *contexts = NULL;
    if (link_deflate != NULL) {
        const wring_deflate_config deflate = deflate_client_config(link_deflate);
        params = deflate_client_params(link_deflate);
        check(wring_deflate_create(&deflate, contexts, NULL) == WRING_OK);
        config.deflate = *contexts;
        config.deflate_params = &params;
    }
    check(wring_machine_create(&config, &machine, NULL) == WRING_OK);
    check(wring_machine_open(machine, 1) == WRING_OK);
    return machine;
}

void echo_client_feed(wring_machine *machine, wring_mut_bytes bytes) {
    wring_event event;
    check(wring_machine_feed(machine, bytes, 1) == WRING_OK);
    while (wring_machine_next(machine, &event) == WRING_OK) {
        const bool data =
            event.kind == WRING_EVENT_MESSAGE &&
            (event.message.opcode == WRING_TEXT || event.message.opcode == WRING_BINARY);
        if (data) {
            const wring_frame frame = {.opcode = event.message.opcode,
                                       .payload = event.message.payload};
            check(wring_machine_send(machine, &frame) == WRING_OK);
        }
    }
}

bool echo_client_is_done(const wring_machine *machine) {
    return wring_machine_is_finished(machine);
}
