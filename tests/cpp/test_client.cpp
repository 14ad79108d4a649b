/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients in C++: with lambdas, with a state, in the blocking style; what their callbacks throw;
 * and when what they own is destroyed.
 */
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>

#include "tests/cpp/serve.hpp"

using namespace std::chrono_literals;

static wring::server echo_server() {
    wring::callbacks echo;
    echo.on_message = [](wring::session session, const wring::message &message) {
        if (message.text() == "bye") {
            session.close(4000, "bye");
            return wring::verdict::proceed;
        }
        return message.is_data() ? session.send(message.echo()).or_stop() : wring::verdict::proceed;
    };
    wring::server_config config;
    config.serve(std::move(echo));
    return started(std::move(config));
}

/* ---- the blocking style ------------------------------------------------------------------------
 */

TEST(questions_are_answered) {
    const wring::server server = echo_server();
    wring::pool pool;
    wring::client client(pool.loop(), url_of(server));
    client.wait(wait_long);
    CHECK(client.status() == WRING_CLIENT_OPEN && client.ref());
    CHECK(client.exchange(wring::text("a"), wait_long).text() == "a");
    CHECK(client.send({wring::text("b"), wring::binary("c")}).ok());
    wring::message message;
    CHECK(client.receive(wait_long, message).ok() && message.is_text() && message.text() == "b");
    CHECK(client.receive(wait_long).is_binary());
    CHECK(client.receive(1ms, message) == WRING_ERR_TIMEOUT && message.bytes().empty());
    client.close(4001, "done");
    CHECK(end_of(client).close_code == 4001 && !client.ref());
    CHECK(client.send(wring::text("x")) == WRING_ERR_CLOSED);
    CHECK(pool.stats().rx_bytes > 0);
}

TEST(errors_say_what_is_meant) {
    wring::pool pool;
    auto bad = wring::client::create(pool.loop(), "http://localhost/");
    CHECK(!bad && bad.error().code() == WRING_ERR_INVALID_URL);
    auto nowhere = wring::client::create(WRING_LOOP_NONE, "ws://127.0.0.1/");
    CHECK(!nowhere && nowhere.error().code() == WRING_ERR_CLOSED);
    wring::client refused(pool.loop(), "ws://127.0.0.1:1/");
    try {
        refused.wait(wait_long);
        NEVER();
    } catch (const wring::error &error) {
        CHECK(std::strstr(error.what(), "127.0.0.1") != nullptr);
    }
    try {
        (void)refused.receive(1s);
        NEVER();
    } catch (const wring::error &error) {
        CHECK(error.code() == WRING_ERR_CLOSED);
    }
}

TEST(clients_and_pools_move) {
    const wring::server server = echo_server();
    wring::pool first;
    wring::pool pool = std::move(first);
    first.stop(); /* it has no threads */
    wring::client a = connected(pool, url_of(server));
    wring::client b = std::move(a);
    CHECK(b.exchange(wring::text("a"), wait_long).text() == "a");
    a = connected(pool, url_of(server));
    b = std::move(a);
    CHECK(b.exchange(wring::text("b"), wait_long).text() == "b");
    pool.stop();
    CHECK(b.status() == WRING_CLIENT_CLOSED); /* a client outlives its pool */
}

/* ---- with callbacks -----------------------------------------------------------------------------
 */

TEST(lambdas_are_enough) {
    const wring::server server = echo_server();
    std::atomic<int> heard{0}, opened{0}, closed{0};
    wring::pool pool;
    wring::callbacks calls;
    calls.on_open = [](wring::session session, const wring::request &) {
        return session.send(wring::text("1")).or_stop();
    };
    calls.on_message = [&, one = std::make_unique<int>(1)](wring::session session,
                                                           const wring::message &message) {
        if (message.is_data()) {
            heard += *one;
            const int next = std::stoi(std::string(message.text())) + 1;
            session.send(wring::text(next < 10 ? std::to_string(next) : "bye")).throw_if_error();
        }
    };
    calls.on_close = [&](wring::session, const wring_end &end) { closed = end.close_code; };
    wring::client_config config;
    config.handle(std::move(calls))
        .on_status([&](wring::client_view client, const wring_client_report &report) {
            opened += report.status == WRING_CLIENT_OPEN;
            CHECK(client.raw() != nullptr);
        });
    wring::client client(pool.loop(), url_of(server), std::move(config));
    CHECK(end_of(client).close_code == 4000);
    CHECK(heard == 9 && opened == 1 && closed == 4000);
}

static std::atomic<int> states{0};
struct counted {
    counted() { states++; }
    ~counted() { states--; }
    void on_message(wring::session, const wring::message &message) {
        if (message.text() == "throw") {
            throw std::runtime_error("asked to");
        }
    }
};

TEST(a_session_of_a_client_that_throws_is_closed_with_1011) {
    const wring::server server = echo_server();
    shared_log log;
    wring::pool pool;
    wring::client_config config;
    config.handle<counted>().log(WRING_LOG_ERROR, log.function());
    wring::client client(pool.loop(), url_of(server), std::move(config));
    client.wait(wait_long);
    CHECK(client.send(wring::text("throw")).ok());
    CHECK(end_of(client).close_code == WRING_CLOSE_INTERNAL_ERROR && states == 0);
    CHECK(log.count("callback=on_message") == 1 && log.count("what=asked to") == 1);
}

TEST(each_reconnect_has_a_state_of_its_own) {
    wring::server server = echo_server();
    std::atomic<int> opened{0};
    wring::pool pool;
    wring::client_config config;
    config.raw.reconnect_min_ms = 1;
    config.handle<counted>().on_status([&](wring::client_view, const wring_client_report &report) {
        opened += report.status == WRING_CLIENT_OPEN;
    });
    wring::client client(pool.loop(), url_of(server), std::move(config));
    client.wait(wait_long);
    CHECK(client.ref().send(wring::close(1001)).ok());
    CHECK(check::eventually([&] { return opened == 2 && states == 1; }));
}

/* ---- exceptions of the other callbacks
 * ----------------------------------------------------------- */

TEST(exceptions_of_on_status_are_logged_and_change_nothing) {
    const wring::server server = echo_server();
    shared_log log;
    wring::pool pool;
    wring::client_config config;
    config.log(WRING_LOG_ERROR, log.function())
        .on_status([](wring::client_view, const wring_client_report &) {
            throw std::runtime_error("of on_status");
        });
    wring::client client(pool.loop(), url_of(server), std::move(config));
    client.wait(wait_long);
    CHECK(client.exchange(wring::text("a"), wait_long).text() == "a");
    client.close();
    (void)end_of(client);
    CHECK(check::eventually([&] { return log.count("callback=on_status") == 3; }));
}

TEST(an_exception_of_renew_ends_the_attempt) {
    const wring::server server = echo_server();
    std::atomic<int> asked{0};
    shared_log log;
    wring::pool pool;
    wring::client_config config;
    config.raw.reconnect_min_ms = 1;
    config.log(WRING_LOG_ERROR, log.function())
        .renew([&](wring::client_view, const wring_client_renewal &, wring::renewal &) {
            if (++asked <= 2) {
                throw std::runtime_error("no token");
            }
            return wring::result();
        });
    wring::client client(pool.loop(), url_of(server), std::move(config));
    client.wait(wait_long); /* the third attempt */
    CHECK(asked == 3 && log.count("callback=renew") == 2);

    wring::client_config final_error;
    final_error.raw.reconnect_min_ms = 1;
    final_error.log(WRING_LOG_ERROR, log.function())
        .renew([](wring::client_view, const wring_client_renewal &,
                  wring::renewal &) -> wring::result {
            throw wring::error(WRING_ERR_CLOSED, "no more"); /* ends the client */
        });
    wring::client ended(pool.loop(), url_of(server), std::move(final_error));
    wring_error why{};
    CHECK(ended.wait(wait_long, why) == WRING_ERR_CLOSED);
}

TEST(an_exception_of_retry_leaves_the_default_rule) {
    const wring::server server = echo_server();
    shared_log log;
    std::atomic<int> attempts{0};
    wring::pool pool;
    wring::client_config config;
    config.raw.reconnect_min_ms = 1;
    config.log(WRING_LOG_ERROR, log.function())
        .on_status([&](wring::client_view, const wring_client_report &report) {
            attempts += report.status == WRING_CLIENT_CONNECTING;
        })
        .retry([](wring::client_view, const wring_client_report &, std::uint32_t &) -> bool {
            throw std::runtime_error("of retry");
        });
    wring::client client(pool.loop(), "ws://127.0.0.1:1/", std::move(config));
    CHECK(check::eventually([&] { return attempts >= 3; })); /* a refused connection: again */
    CHECK(log.count("callback=retry") >= 2);
}

/* ---- renewals
 * ------------------------------------------------------------------------------------- */

/* Answers with the header it came with. */
struct shows_token {
    shows_token(wring::session session, const wring::request &request) {
        const std::string_view token = request.header("x-token").value_or("none");
        session.send(wring::text(std::string(request.path()) + " " + std::string(token)))
            .throw_if_error();
    }
};

TEST(urls_and_headers_are_renewed_at_once_or_later) {
    wring::server_config serving;
    serving.serve<shows_token>();
    const wring::server server = started(std::move(serving));
    wring::pool pool;
    wring::client_config at_once;
    at_once.renew([&](wring::client_view, const wring_client_renewal &last, wring::renewal &next) {
        CHECK(last.attempt == 1);
        next.url(url_of(server, "/renewed")).header("X-Token", std::string(100, 't'));
        return wring::result();
    });
    wring::client first(pool.loop(), url_of(server), std::move(at_once));
    CHECK(first.receive(wait_long).text() == "/renewed " + std::string(100, 't'));

    wring::client_config later;
    later.header("X-Token", "first");
    later.renew([](wring::client_view, const wring_client_renewal &, wring::renewal &) {
        return wring::result(WRING_MORE);
    });
    wring::client second(pool.loop(), url_of(server), std::move(later));
    CHECK(check::eventually(
        [&] { return second.renew({}, std::move(wring::renewal().no_headers())).ok(); }));
    CHECK(second.receive(wait_long).text() == "/ none");
}

/* ---- what a client owns
 * ---------------------------------------------------------------------------- */

TEST(what_was_captured_is_destroyed_once_the_client_is_closed) {
    const wring::server server = echo_server();
    auto owned = std::make_shared<int>(1);
    std::atomic<bool> closed{false};
    wring::pool pool;
    std::optional<wring::client> client;
    {
        wring::client_config config;
        config.handle<counted>(std::shared_ptr<int>(owned))
            .on_status([owned, &closed](wring::client_view, const wring_client_report &report) {
                closed = closed || report.status == WRING_CLIENT_CLOSED;
            });
        client.emplace(pool.loop(), url_of(server), std::move(config));
    }
    client->wait(wait_long);
    CHECK(owned.use_count() == 3);
    client.reset(); /* does not wait for the server's close frame */
    CHECK(check::eventually([&] { return owned.use_count() == 1; }) && closed && states == 0);
    {
        wring::client_config config;
        config.on_status([owned](wring::client_view, const wring_client_report &) {});
        CHECK(!wring::client::create(WRING_LOOP_NONE, "ws://127.0.0.1/", std::move(config)));
    }
    CHECK(owned.use_count() == 1);
}

/* What the callback and the test share; the callback lets go of it when it is destroyed. */
struct self_destroying {
    std::atomic<bool> ready{false}, gone{false};
    std::optional<wring::client> client;
};

static void destroyed_at(wring_client_status at, const std::string &url, wring::pool &pool) {
    auto shared = std::make_shared<self_destroying>();
    wring::client_config config;
    config.on_status([at, shared](wring::client_view view, const wring_client_report &report) {
        if (report.status == at && !shared->gone) {
            while (!shared->ready) {
                std::this_thread::yield();
            }
            shared->client.reset();
            shared->gone = true;
        } else if (report.status == WRING_CLIENT_OPEN) {
            view.close();
        }
    });
    shared->client.emplace(pool.loop(), url, std::move(config));
    shared->ready = true;
    CHECK(check::eventually([&] { return shared->gone && shared.use_count() == 1; }));
}

TEST(a_client_may_be_destroyed_in_its_own_callback) {
    const wring::server server = echo_server();
    wring::pool pool;
    destroyed_at(WRING_CLIENT_CONNECTING, url_of(server), pool);
    destroyed_at(WRING_CLIENT_OPEN, url_of(server), pool);
    destroyed_at(WRING_CLIENT_CLOSED, url_of(server), pool);
}

TEST(a_client_that_is_dropped_at_once_leaks_nothing) {
    const wring::server server = echo_server();
    auto owned = std::make_shared<int>(1);
    for (int round = 0; round < 50; round++) {
        wring::pool pool;
        for (int i = 0; i < 4; i++) {
            wring::client_config config;
            config.handle<counted>(std::shared_ptr<int>(owned))
                .on_status([owned](wring::client_view, const wring_client_report &) {});
            const wring::client client(pool.loop(), url_of(server), std::move(config));
            std::this_thread::sleep_for(std::chrono::microseconds(round * 10));
        }
        pool.stop(0s);
        CHECK(owned.use_count() == 1 && states == 0);
    }
}

TEST(a_client_may_live_on_a_servers_worker) {
    const wring::server server = echo_server();
    wring::client client(server.loop(0), url_of(server));
    client.wait(wait_long);
    CHECK(client.exchange(wring::text("a"), wait_long).text() == "a");
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
