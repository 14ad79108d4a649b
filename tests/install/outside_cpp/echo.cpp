/* SPDX-License-Identifier: Apache-2.0
 *
 * An outside program on the installed libwring: a server and a client of it, in C++.
 */
#include <iostream>
#include <string>
#include <wring/wring.hpp>

struct echo {
    void on_message(wring::session session, const wring::message &message) {
        if (message.is_data()) {
            session.send(message.echo()).throw_if_error();
        }
    }
};

int main() {
    try {
        wring::server_config config;
        config.raw.workers = 1;
        config.serve<echo>();
        wring::server server(std::move(config));
        server.start();
        wring::pool pool;
        wring::client client(pool.loop(), "ws://127.0.0.1:" + std::to_string(server.port()));
        client.wait(std::chrono::seconds(60));
        const wring::message answer =
            client.exchange(wring::text("hello"), std::chrono::seconds(60));
        return answer.text() == "hello" ? 0 : 1;
    } catch (const wring::error &error) {
        std::cerr << error.what() << '\n';
        return error.code() == WRING_ERR_BACKEND ? 77 : 1;
    }
}
