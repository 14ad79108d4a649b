/* SPDX-License-Identifier: Apache-2.0
 *
 * An outside program on the installed libwring-proto: a message from one machine to another.
 */
#include <string.h>
#include <wring/machine.h>

int main(void) {
    const wring_machine_config config = {.struct_size = sizeof config, .role = WRING_ROLE_CLIENT};
    wring_machine *client;
    wring_machine *server;
    wring_event event;
    uint8_t wire[64];
    if (wring_machine_create(&config, &client, NULL) != WRING_OK ||
        wring_machine_create(NULL, &server, NULL) != WRING_OK ||
        wring_machine_open(client, 1) != WRING_OK || wring_machine_open(server, 1) != WRING_OK) {
        return 1;
    }
    const wring_frame hello = wring_frame_text(wring_str("hello"));
    if (wring_machine_send(client, &hello) != WRING_OK) {
        return 1;
    }
    wring_bytes out = wring_machine_output(client);
    memcpy(wire, out.data, out.len);
    wring_mut_bytes in = {wire, out.len};
    int ok = wring_machine_feed(server, in, 1) == WRING_OK &&
             wring_machine_next(server, &event) == WRING_OK &&
             wring_bytes_equal(event.message.payload, wring_str("hello"));
    wring_machine_destroy(client);
    wring_machine_destroy(server);
    return ok ? 0 : 1;
}
