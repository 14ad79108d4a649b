/* SPDX-License-Identifier: Apache-2.0
 *
 * An outside program on the installed libwring-proto: a message through two machines, in C++.
 */
#include <vector>
#include <wring/cpp/embed.hpp>
#include <wring/cpp/machine.hpp>

int main() {
    wring::machine client(WRING_ROLE_CLIENT);
    wring::machine server;
    wring::event event;
    if (!client.open(1) || !server.open(1) || !client.send(wring::text("hello"))) {
        return 1;
    }
    std::vector<std::uint8_t> wire = client.output().to_vector();
    const bool heard = server.feed(wire, 1) && server.next(event) && event.is_message();
    return heard && event.message().text() == "hello" ? 0 : 1;
}
