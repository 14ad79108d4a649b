/* SPDX-License-Identifier: Apache-2.0
 *
 * The same without exceptions and without run-time type information: everything by create() and
 * results. Compiled with -fno-exceptions -fno-rtti.
 */
#include <memory>
#include <string>

#include <wring/wring.hpp>

#include "tests/cpp/check.hpp"

#if WRING_CPP_EXCEPTIONS
#error "this test is about programs without exceptions"
#endif

using namespace std::chrono_literals;

static int alive;

class echo {
  public:
    explicit echo(wring::session) { alive++; }
    ~echo() { alive--; }
    wring::verdict on_message(wring::session session, const wring::message &message) {
        return message.is_data() ? session.send(message.echo()).or_stop() : wring::verdict::proceed;
    }
};

static wring::outcome<wring::server> served() {
    wring::server_config config;
    config.raw.workers = 1;
    config.raw.unpinned = true;
    config.serve<echo>();
    return wring::server::create(std::move(config));
}

TEST(a_server_and_a_client_talk) {
    auto server = served();
    wring_error why{};
    CHECK(server.ok());
    if (!server->start(why)) {
        std::fprintf(stderr, "%s\n", why.text);
        std::exit(why.code == WRING_ERR_BACKEND ? 77 : 1);
    }
    auto pool = wring::pool::create();
    CHECK(pool.ok());
    const std::string url = "ws://127.0.0.1:" + std::to_string(server->port());
    auto client = wring::client::create(pool->loop(), url);
    CHECK(client && client->wait(60s, why));
    wring::message answer;
    CHECK(client->exchange(wring::text("a"), 60s, answer) && answer.text() == "a");
    auto owned = std::make_shared<int>(1);
    CHECK(server->visit(0, [owned](wring::session session) {
        session.ref().post([owned](wring::session on) { on.close(4000); }).ignore();
    }));
    wring_end end{};
    CHECK(client->wait_closed(60s, end) && end.close_code == 4000);
    server->stop();
    CHECK(alive == 0 && owned.use_count() == 1);
}

TEST(errors_are_values) {
    auto server = wring::server::create(wring::server_config());
    CHECK(!server && server.error().code() == WRING_ERR_INVALID_CONFIG);
    auto pool = wring::pool::create();
    auto client = wring::client::create(pool->loop(), "no url");
    CHECK(!client && client.error().code() == WRING_ERR_INVALID_URL);
    auto machine = wring::machine::create();
    CHECK(machine && machine->open(1) && !machine->open(1));
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
