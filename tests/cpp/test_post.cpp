/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions posted to sessions: run on the session's worker, destroyed exactly once, also when the
 * session is gone, when they throw, and when the server stops.
 */
#include <atomic>
#include <memory>
#include <stdexcept>

#include "tests/cpp/serve.hpp"

static std::atomic<int> tokens{0}; /* alive */

/* What is posted owns one; it can only be moved. */
class token {
  public:
    token() { tokens++; }
    token(token &&other) noexcept : mine(std::exchange(other.mine, false)) {}
    ~token() { tokens -= mine; }

  private:
    bool mine = true;
};

static std::atomic<wring_ref> last_ref{0};
static std::atomic<int> infos{0};

struct member {
    int notes = 0;
    explicit member(wring::session session) { last_ref = session.ref().raw(); }
    void on_info(wring::session, const wring_info &info) { infos += static_cast<int>(info.tag); }
};

struct served {
    shared_log log;
    wring::server server;
    wring::pool pool;
    wring::client client;
    wring::ref ref;

    static wring::server_config config_of(shared_log &log) {
        wring::server_config config;
        config.serve<member>().log(WRING_LOG_ERROR, log.function());
        return config;
    }
    served() : server(started(config_of(log))), client(connected(pool, url_of(server))) {
        CHECK(check::eventually([] { return last_ref != 0; }));
        ref = last_ref.exchange(0);
    }
};

TEST(a_posted_function_runs_on_the_sessions_worker) {
    served by;
    for (int i = 0; i < 3; i++) {
        CHECK(by.ref
                  .post([held = token(), i](wring::session session) {
                      member &state = session.state<member>();
                      CHECK(state.notes++ == i); /* in order */
                      session.send(wring::text(std::to_string(i))).throw_if_error();
                  })
                  .ok());
    }
    for (int i = 0; i < 3; i++) {
        CHECK(by.client.receive(wait_long).text() == std::to_string(i));
    }
    CHECK(check::eventually([] { return tokens == 0; }));
}

static std::atomic<int> plain_calls{0};
static void plain_function(wring::session &) {
    plain_calls++;
}

TEST(any_callable_can_be_posted) {
    served by;
    CHECK(by.ref.post(plain_function).ok());
    const auto copied = [](wring::session) { plain_calls++; };
    CHECK(by.ref.post(copied).ok() && by.ref.post(copied).ok());
    CHECK(by.ref.post(std::function<void(wring::session &)>(plain_function)).ok());
    CHECK(by.ref.post(wring::function<wring::verdict(wring::session &)>(plain_function)).ok());
    CHECK(check::eventually([] { return plain_calls == 5; }));
}

TEST(a_posted_function_may_end_the_session) {
    served by;
    CHECK(by.ref
              .post([held = token()](wring::session session) {
                  session.close(4001);
                  return wring::verdict::stop;
              })
              .ok());
    CHECK(end_of(by.client).close_code == 4001 && check::eventually([] { return tokens == 0; }));
}

TEST(a_posted_function_that_throws_closes_with_1011) {
    served by;
    CHECK(
        by.ref.post([held = token()](wring::session) { throw std::runtime_error("posted"); }).ok());
    CHECK(end_of(by.client).close_code == WRING_CLOSE_INTERNAL_ERROR);
    CHECK(check::eventually([] { return tokens == 0; }));
    CHECK(by.log.count("callback=post") == 1 && by.log.count("what=posted") == 1);
}

TEST(what_is_posted_to_a_session_that_is_gone_is_destroyed) {
    served by;
    by.client.close();
    (void)end_of(by.client);
    CHECK(check::eventually([&] { return by.server.stats().connections == 0; }));
    std::atomic<bool> ran{false};
    for (int i = 0; i < 100; i++) {
        CHECK(by.ref.post([held = token(), &ran](wring::session) { ran = true; }).ok());
    }
    CHECK(check::eventually([] { return tokens == 0; }) && !ran);
    CHECK(by.server.stats().mail_lost >= 100);
}

TEST(what_is_posted_while_the_server_stops_is_destroyed) {
    for (int round = 0; round < 20; round++) {
        served by;
        std::atomic<bool> over{false};
        std::thread poster([&] {
            while (!over) { /* until, and after, the workers are gone */
                by.ref.post([held = token()](wring::session) {}).ignore();
            }
        });
        by.server.stop(std::chrono::milliseconds(round % 3));
        over = true;
        poster.join();
        CHECK(by.ref.post([held = token()](wring::session) {}) == WRING_ERR_CLOSED);
        CHECK(tokens == 0);
    }
}

TEST(functions_posted_to_sessions_of_clients) {
    served by;
    CHECK(by.client.ref().post([held = token()](wring::session) {}).ok()); /* it has no handler */
    CHECK(check::eventually([] { return tokens == 0; }));
    std::atomic<bool> ran{false};
    wring::client_config config;
    config.handle<member>();
    wring::client handled(by.pool.loop(), url_of(by.server), std::move(config));
    handled.wait(wait_long);
    CHECK(handled.ref()
              .post([&, held = token()](wring::session session) {
                  CHECK(session.client().raw() == handled.raw());
                  ran = true;
              })
              .ok());
    CHECK(check::eventually([&] { return ran && tokens == 0; }));
}

TEST(infos_of_c_programs_reach_on_info) {
    served by;
    infos = 0;
    CHECK(by.ref.post_info({5, nullptr}).ok());
    CHECK(check::eventually([] { return infos == 5; }));
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
