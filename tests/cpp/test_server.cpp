/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers in C++: exceptions stay with their session, configurations own what they are given, and
 * servers move, stop twice and start again.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>

#include "tests/cpp/serve.hpp"

static std::atomic<int> alive{0};

struct moody_echo {
    static constexpr const char *handler_name = "moody";

    moody_echo(wring::session, const wring::request &request) {
        if (request.query() == "refuse") {
            throw std::runtime_error("no entry");
        }
        alive++;
    }
    ~moody_echo() { alive--; }
    wring::verdict on_message(wring::session session, const wring::message &message) {
        if (message.text() == "throw") {
            throw std::logic_error("asked to");
        }
        return message.is_data() ? session.send(message.echo()).or_stop() : wring::verdict::proceed;
    }
};

/* ---- exceptions -------------------------------------------------------------------------------
 */

TEST(an_exception_closes_its_session_and_no_other) {
    shared_log log;
    wring::server_config config;
    config.serve<moody_echo>().log(WRING_LOG_ERROR, log.function());
    wring::server server = started(std::move(config), 1); /* one worker: true neighbours */
    wring::pool pool;
    wring::client before = connected(pool, url_of(server));
    wring::client thrower = connected(pool, url_of(server));
    wring::client after = connected(pool, url_of(server));
    CHECK(check::eventually([] { return alive == 3; }));
    CHECK(before.exchange(wring::text("a"), wait_long).text() == "a");
    CHECK(thrower.send({wring::text("throw"), wring::text("b")}).ok());
    const wring_end end = end_of(thrower);
    CHECK(end.close_code == WRING_CLOSE_INTERNAL_ERROR && end.by_peer);
    CHECK(before.exchange(wring::text("c"), wait_long).text() == "c");
    CHECK(after.exchange(wring::text("d"), wait_long).text() == "d");
    CHECK(check::eventually([] { return alive == 2; }));
    CHECK(log.count("callback=on_message, handler=moody, what=asked to") == 1);
    CHECK(log.count("callback_exception") == 1);
}

TEST(a_constructor_that_throws_closes_with_1011) {
    shared_log log;
    wring::server_config config;
    config.serve<moody_echo>().log(WRING_LOG_ERROR, log.function());
    wring::server server = started(std::move(config));
    wring::pool pool;
    const int before = alive;
    wring::client refused(pool.loop(), url_of(server, "/?refuse"));
    CHECK(end_of(refused).close_code == WRING_CLOSE_INTERNAL_ERROR);
    wring::client welcome = connected(pool, url_of(server));
    CHECK(welcome.exchange(wring::text("a"), wait_long).text() == "a" && alive == before + 1);
    CHECK(log.count("callback=constructor, handler=moody, what=no entry") == 1);
}

TEST(exceptions_go_to_a_log_of_the_c_record_too) {
    static std::atomic<int> records{0};
    auto log = wring::record<wring_log_config>();
    log.level = WRING_LOG_ERROR;
    log.write = [](const wring_log_record *, void *) { records++; };
    wring::server_config config;
    config.serve<moody_echo>();
    config.raw.log = &log;
    wring::server server = started(std::move(config));
    wring::pool pool;
    wring::client client = connected(pool, url_of(server));
    CHECK(client.send(wring::text("throw")).ok());
    CHECK(end_of(client).close_code == 1011 && records == 1);
}

static std::string ask(std::uint16_t port, const std::string &path) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    CHECK(send(fd, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(n));
    }
    close(fd);
    return answer;
}

/* The status and body of a GET. */
static std::string get(std::uint16_t port, const std::string &path) {
    const std::string answer = ask(port, path);
    return answer.substr(9, 3) + " " + answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST(plain_answers_own_their_body) {
    shared_log log;
    wring::server_config config;
    config.log(WRING_LOG_ERROR, log.function());
    config.get("/hello", [](wring::exchange &exchange) {
        wring::answer answer(404);
        answer.content_type("text/x-" + std::string("test"));
        answer.body("you asked for " + std::string(exchange.request().path()) +
                    std::string(100, '.'));
        exchange.answer(answer);
    });
    config.get("/throw", [](wring::exchange &) { throw std::runtime_error("no answer"); });
    wring::server server = started(std::move(config));
    CHECK(get(server.port(), "/hello") == "404 you asked for /hello" + std::string(100, '.'));
    CHECK(get(server.port(), "/throw") == "500 internal error\n");
    CHECK(get(server.port(), "/throw").substr(0, 3) == "500");
    CHECK(ask(server.port(), "/hello").find("text/x-test") != std::string::npos);
    CHECK(get(server.port(), "/hello").substr(0, 5) == "404 y");
    CHECK(log.count("callback=on_request") == 2 && log.count("what=no answer") == 2);
}

/* ---- configurations ---------------------------------------------------------------------------
 */

struct greeter {
    greeter(wring::session session, const wring::request &request, const std::string &greeting) {
        const std::string text = greeting + " " + std::string(request.path()) + " " +
                                 std::string(request.subprotocol()) + " " +
                                 std::string(request.header("x-name").value_or("nobody"));
        session.send(wring::text(text)).throw_if_error();
    }
};

static wring::server_config config_of_temporaries() {
    wring::server_config config;
    const std::string path = std::string("/a/path/that/is/long/enough/for/the/heap") + "/*";
    config.route<greeter>(path, std::string("good morning, with a long greeting"))
        .subprotocols({std::string("first.example.com.protocol"), "second"});
    static const std::string evening = "good evening";
    config.route<greeter>("/evening", evening);
    wring::callbacks echo;
    echo.on_message = [](wring::session session, const wring::message &message) {
        return message.is_data() ? session.send(message.echo()).or_stop() : wring::verdict::proceed;
    };
    config.serve(std::move(echo)).host(std::string("127.0.0.1"));
    config.policy().session().message_bytes_max = 1000;
    config.topic_rule(std::string("a.rule.whose.name.is.long.enough.for.the.heap*"))
        .message_bytes_max = 9;
    return config;
}

TEST(a_server_owns_what_its_configuration_was_given) {
    wring::server server = started(config_of_temporaries());
    wring::pool pool;
    wring::client_config config;
    config.subprotocols({"second", "x"}).header(std::string("X-Name"), std::string("Ada"));
    wring::client client(pool.loop(), url_of(server, "/a/path/that/is/long/enough/for/the/heap/x"),
                         std::move(config));
    CHECK(
        client.receive(wait_long).text() ==
        "good morning, with a long greeting /a/path/that/is/long/enough/for/the/heap/x second Ada");
    wring::client evening = connected(pool, url_of(server, "/evening"));
    CHECK(evening.receive(wait_long).text() == "good evening /evening  nobody");
    wring::client rest = connected(pool, url_of(server, "/elsewhere"));
    CHECK(rest.exchange(wring::text("a"), wait_long).text() == "a");
    CHECK(rest.send(wring::text(std::string(1001, 'x'))).ok());
    CHECK(end_of(rest).close_code == WRING_CLOSE_MESSAGE_TOO_BIG);
    CHECK(server.publish("a.rule.whose.name.is.long.enough.for.the.heap.x",
                         wring::text("0123456789")) == WRING_ERR_MESSAGE_TOO_BIG);
}

/* What was set first leaves room behind, whose address must not count as a list. */
TEST(lists_can_be_taken_away_again) {
    wring::server_config config;
    config.route<greeter>("/a", std::string("hello"))
        .subprotocols({"a"})
        .subprotocols({})
        .origins({"https://a.example"})
        .origins({});
    config.subprotocols({"a"}).subprotocols({});
    config.trusted_proxies({"unix"}).trusted_proxies({});
    wring::server server = started(std::move(config));
    wring::pool pool;
    wring::client_config alone;
    alone.subprotocols({"a"}).subprotocols({});
    wring::client client(pool.loop(), url_of(server, "/a"), std::move(alone));
    CHECK(client.receive(wait_long).text() == "hello /a  nobody");
}

TEST(opts_that_were_moved_in_go_with_the_server) {
    auto owned = std::make_shared<int>(5);
    struct holder {
        std::shared_ptr<int> held;
    };
    {
        wring::server_config config;
        config.route<moody_echo>("/", holder{owned});
        CHECK(owned.use_count() == 2);
        wring::server server = started(std::move(config));
        CHECK(owned.use_count() == 2);
    }
    CHECK(owned.use_count() == 1);
}

TEST(a_wrong_configuration_names_the_field) {
    wring::server_config nothing;
    auto made = wring::server::create(std::move(nothing));
    CHECK(!made && made.error().code() == WRING_ERR_INVALID_CONFIG);
    CHECK(std::strstr(made.error().text(), "handler is missing") != nullptr);
    wring::server_config config;
    config.serve<moody_echo>().host("no address");
    auto server = wring::server::create(std::move(config));
    wring_error why{};
    CHECK(!server || server->start(why) == WRING_ERR_ADDRESS);
}

/* ---- the life of a server ---------------------------------------------------------------------
 */

TEST(a_server_moves_while_it_runs) {
    wring::server_config config;
    config.serve<moody_echo>();
    wring::server first = started(std::move(config));
    wring::pool pool;
    wring::client client = connected(pool, url_of(first));
    wring::server second = std::move(first);
    first.stop(); /* it is none any more */
    CHECK(client.exchange(wring::text("a"), wait_long).text() == "a");
    wring::server_config other;
    other.serve<moody_echo>();
    first = started(std::move(other));
    second = std::move(first); /* the one it had stops */
    CHECK(end_of(client).close_code == WRING_CLOSE_GOING_AWAY);
    wring::client again = connected(pool, url_of(second));
    CHECK(again.exchange(wring::text("b"), wait_long).text() == "b");
}

TEST(a_server_stops_twice_and_starts_again) {
    wring::server_config config;
    config.serve<moody_echo>();
    wring::server server = started(std::move(config));
    wring::pool pool;
    wring::client client = connected(pool, url_of(server));
    server.stop();
    server.stop(std::chrono::milliseconds(0));
    CHECK(end_of(client).close_code == WRING_CLOSE_GOING_AWAY && alive == 0);
    server.start();
    wring::client again = connected(pool, url_of(server));
    CHECK(again.exchange(wring::text("a"), wait_long).text() == "a");
}

/* ---- what is asked of a running server ----------------------------------------------------------
 */

TEST(visits_meet_every_session) {
    shared_log log;
    wring::server_config config;
    config.serve<moody_echo>().log(WRING_LOG_ERROR, log.function());
    wring::server server = started(std::move(config), 1);
    wring::pool pool;
    std::vector<wring::client> clients;
    for (int i = 0; i < 5; i++) {
        clients.push_back(connected(pool, url_of(server)));
        CHECK(clients.back().exchange(wring::text("a"), wait_long).text() == "a");
    }
    std::atomic<int> met{0}, done{0};
    auto counted = std::make_unique<int>(0); /* what is moved in is destroyed with the visit */
    CHECK(server
              .visit(
                  0,
                  [&met, counted = std::move(counted)](wring::session session) {
                      CHECK(session.server().port() != 0);
                      session.send(wring::text("visited")).ignore();
                      met++;
                  },
                  [&done](std::uint64_t visited, bool is_whole) {
                      CHECK(visited == 5 && is_whole);
                      done++;
                  })
              .ok());
    CHECK(check::eventually([&] { return done == 1; }) && met == 5);
    CHECK(clients[3].receive(wait_long).text() == "visited");
    CHECK(server.visit(7, [](wring::session) {}) == WRING_ERR_INVALID_ARGUMENT);
    CHECK(server.visit(0, [](wring::session) { throw std::runtime_error("visitor"); }).ok());
    for (const wring::client &client : clients) {
        CHECK(end_of(client).close_code == WRING_CLOSE_INTERNAL_ERROR);
    }
    CHECK(log.count("callback=visit") == 5);
}

TEST(policies_change_while_it_runs) {
    wring::server_config config;
    config.route<moody_echo>("/a");
    wring::server server = started(std::move(config));
    wring::pool pool;
    wring::client client = connected(pool, url_of(server, "/a"));
    wring::policy policy;
    policy.session().message_bytes_max = 5;
    server.set_policy("/a", policy);
    wring_error why{};
    CHECK(server.set_policy("/none", policy, why) == WRING_ERR_INVALID_ARGUMENT);
    bool thrown = false;
    try {
        server.set_policy("/none", policy);
    } catch (const wring::error &) {
        thrown = true;
    }
    CHECK(thrown && server.reload_tls(why) == WRING_ERR_INVALID_STATE);
    CHECK(check::eventually([&] {
        wring::client next = connected(pool, url_of(server, "/a"));
        CHECK(next.send(wring::text("123456")).ok());
        wring::message answer;
        return !next.receive(wait_long, answer).ok();
    }));
    CHECK(check::eventually([&] { return server.refusals(WRING_ERR_MESSAGE_TOO_BIG) > 0; }));
    CHECK(server.stats().struct_size == sizeof(wring_server_stats) && server.stats().accepted >= 2);
    CHECK(server.worker_count() == 2 && server.loop(0) != WRING_LOOP_NONE);
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
