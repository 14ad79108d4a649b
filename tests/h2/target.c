/* SPDX-License-Identifier: Apache-2.0
 *
 * e2e-http-target with the carrier of this folder: see CMakeLists.txt, which wraps its start.
 */
#include "server/server.h"
#include "tests/h2/carrier.h"

wring_result __real_wring_server_start(wring_server *server, wring_error *error);
wring_result __wrap_wring_server_start(wring_server *server, wring_error *error);

wring_result __wrap_wring_server_start(wring_server *server, wring_error *error) {
    server->carrier = &h2_carrier;
    return __real_wring_server_start(server, error);
}
