/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that was built with other headers than the library: run.sh makes older ones, without
 * the last fields of the configuration and of the statistics, and newer ones with a field behind
 * them, which it names FUTURE. Exit code 0: all is as it has to be.
 */
#include <stdio.h>
#include <string.h>
#include <wring/wring.h>

int main(void) {
    static const wring_handler handler = {.name = "none"};
    wring_server_config config = {.struct_size = sizeof config, .workers = 1, .handler = &handler};
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server *server;
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    if (wring_server_get_stats(server, &stats) != WRING_OK || stats.struct_size != sizeof stats ||
        stats.connections != 0) {
        fputs("the statistics are not those of this program's size\n", stderr);
        return 1;
    }
    wring_server_destroy(server);
#ifdef FUTURE
    config.FUTURE = 1;
    if (wring_server_create(&config, &server, &error) != WRING_ERR_INVALID_CONFIG ||
        strstr(error.text, "newer library") == NULL) {
        fputs("a field that the library does not know was taken\n", stderr);
        return 1;
    }
#endif
    return 0;
}
