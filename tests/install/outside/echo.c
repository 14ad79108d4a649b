/* SPDX-License-Identifier: Apache-2.0
 *
 * An outside program on the installed libwring: starts a server and stops it.
 */
#include <stdio.h>
#include <wring/wring.h>

int main(void) {
    static const wring_handler handler = {.struct_size = sizeof handler, .name = "none"};
    const wring_server_config config = {.struct_size = sizeof config, .handler = &handler};
    wring_server *server;
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    int ok = wring_server_port(server) != 0;
    wring_server_stop(server, 100);
    wring_server_destroy(server);
    return ok ? 0 : 1;
}
