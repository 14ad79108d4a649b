/* SPDX-License-Identifier: Apache-2.0
 *
 * An outside program on the installed libwring-proto: a message through two sessions.
 */
#include <string.h>
#include <wring/session.h>

int main(void) {
    wring_session_config config = {.struct_size = sizeof config, .role = WRING_ROLE_CLIENT};
    wring_session *client;
    wring_session *server;
    wring_event event;
    uint8_t wire[64];
    if (wring_session_create(&config, &client, NULL) != WRING_OK ||
        wring_session_create(NULL, &server, NULL) != WRING_OK ||
        wring_session_open(client, 1) != WRING_OK || wring_session_open(server, 1) != WRING_OK) {
        return 1;
    }
    wring_frame hello = wring_text(wring_str("hello"));
    if (wring_session_send(client, &hello) != WRING_OK) {
        return 1;
    }
    wring_bytes out = wring_session_output(client);
    memcpy(wire, out.data, out.len);
    wring_mut_bytes in = {wire, out.len};
    int ok = wring_session_feed(server, in, 1) == WRING_OK &&
             wring_session_next(server, &event) == WRING_OK &&
             wring_bytes_equal(event.message.payload, wring_str("hello"));
    wring_session_destroy(client);
    wring_session_destroy(server);
    return ok ? 0 : 1;
}
