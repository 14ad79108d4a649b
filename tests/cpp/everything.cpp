/* SPDX-License-Identifier: Apache-2.0
 *
 * Uses every class of the C++ layer, so that all of it is compiled; compilers.sh compiles this file
 * in each way that people compile theirs. With WRONG defined to a number, one mistake is in it that
 * must not compile.
 */
#include <wring/wring.hpp>

#include <array>

using namespace std::chrono_literals;

#ifndef WRONG
#define WRONG 0
#endif

struct options {
    int number = 1;
};

class whole {
  public:
    whole(wring::session session, const wring::request &request, options &opts) {
        path = std::string(request.path());
        opts.number += static_cast<int>(request.headers().size());
        session.subscribe(path).ignore();
    }
    void on_open(wring::session session, const wring::request &request) {
        const auto cookie = wring::set_cookie("a", "b").age_max(1h).path("/").text();
        const bool known = request.cookie("sid") || request.bearer() || request.param("id") ||
                           request.query_value("id") || wring::percent_decode("%41");
        wring::query_view(request.query()).each([](std::string_view, std::string_view) {});
        session.send(wring::text(known && cookie ? "known" : "unknown")).ignore();
        request.headers().each_element("sec-websocket-protocol", [](std::string_view) {});
        for (const wring_header &header : request.headers()) {
            session.send(wring::binary(header.value)).ignore();
        }
    }
#if WRONG == 1
    void on_message(wring::session, std::string) {}
#else
    wring::verdict on_message(wring::session &session, const wring::message &message) {
        session.message_begin(WRING_TEXT, "a").ignore();
        session.message_continue("b").ignore();
        session.message_end().ignore();
        session.publish(path, message.echo()).ignore();
#if WRONG == 2
        session.send(message.echo());
#endif
        return session.server().publish(path, message.echo()).or_stop();
    }
#endif
    void on_info(wring::session session, const wring_info &) {
        session.resume();
    }
    wring::verdict on_drained(wring::session session) {
        session.log(WRING_LOG_INFO, "drained", "it reads again");
        return session.queued_bytes() > 0 ? wring::verdict::stop : wring::verdict::proceed;
    }
    void on_close(const wring::session &, const wring_end &) noexcept {}

  private:
    std::string path;
};

struct nothing {};
#if WRONG == 3
struct alignas(64) wide {
    char bytes[64];
};
#endif
#if WRONG == 4
struct returns_int {
    int on_message(wring::session, const wring::message &) { return 1; }
};
#endif
#if WRONG == 5
struct needs_an_int {
    explicit needs_an_int(int) {}
};
#endif

class answering {
  public:
    answering(wring::exchange &exchange, const wring::request &request, options &opts) {
        path = std::string(request.path());
        opts.number += exchange.opts<options>().number;
    }
    void on_request(wring::exchange &exchange, const wring::request &request) {
        exchange.pause();
        exchange.answer_begin(wring::answer(201).content_type("a/b").header("a", "b").body_bytes(9))
            .ignore();
        exchange.answer_write(request.body()).ignore();
    }
#if WRONG == 8
    void on_body(wring::exchange &, const std::string &) {}
#else
    void on_body(wring::exchange &exchange, wring::bytes_view piece, bool is_last) {
        exchange.answer_write(piece).ignore();
        if (is_last) {
            exchange.answer_end().ignore();
        }
    }
#endif
#if WRONG == 9
    wring::verdict on_info(wring::exchange &, const wring_info &) {
        return wring::verdict::proceed;
    }
#else
    void on_info(wring::exchange exchange, const wring_info &) {
        exchange.resume();
    }
#endif
    void on_drained(wring::exchange &exchange) {
        if (exchange.queued_bytes() > exchange.state<answering>().path.size()) {
            exchange.abort();
        }
    }
    void on_done(const wring::exchange &, const wring_exchange_end &) noexcept {}

  private:
    std::string path;
};

class deciding {
  public:
    void on_request(wring::exchange &exchange, const wring::request &request) {
        const wring::exchange_ref ref = exchange.ref();
        if (request.bearer()) {
            exchange.accept(wring::acceptance().subprotocol("a").header("b", "c").data(options()));
        } else if (ref) {
            ref.post([](wring::exchange &then) { then.answer(401, "who?", "text/plain"); })
                .ignore();
            ref.accept(wring::acceptance().data(std::make_unique<options>())).ignore();
            ref.answer(wring::answer().body("x").ends_connection()).ignore();
            ref.stop().ignore();
        }
    }
};

struct accepted {
    accepted(wring::session, const wring::request &request) {
        const options *shown = request.accept_data<options>();
        taken = shown != nullptr ? request.take_accept_data<options>() : nullptr;
    }
    std::unique_ptr<options> taken;
};

static void answer(wring::server_config &config, options &opts) {
    config.get("/get", [](wring::exchange &exchange) { exchange.answer("ok"); });
    config.post("/post", [](wring::exchange exchange) {
        exchange.answer(wring::answer(404).body_borrowed("nothing"));
    });
    config.http("PUT, DELETE", "/http", [](const wring::exchange &exchange) {
        exchange.answer(exchange.worker() + exchange.loop() < 5 ? 200 : 503);
    });
    config.http<answering>("*", "/class", opts).body_max(5);
    config.route("/u/{id}").methods("GET").http<answering>(options{3}).http(nullptr);
    config.route<accepted>("/ws").upgrade<deciding>().origins({"https://example.com"});
    config.route<accepted>("/hook").upgrade([](wring::exchange &exchange) {
        exchange.answer(exchange.server().port() == 0 ? 503 : 403);
    });
    config.trusted_proxies({"10.0.0.0/8"});
#if WRONG == 6
    config.get("/x", [](int) {});
#endif
}

static bool serve() {
    options opts;
    wring::server_config config(0);
    config.route<whole>("/whole", opts).subprotocols({"a", "b"}).policy().raw.age_max_ms = 5;
    config.route<whole>("/taken", options{2});
    answer(config, opts);
    config.serve<nothing>().subprotocols({"c"}).host("127.0.0.1");
#if __cplusplus >= 202002L
    config.route("/designated", {.on_message = [](wring::session, const wring::message &) {}});
#endif
#if WRONG == 3
    config.serve<wide>();
#elif WRONG == 4
    config.serve<returns_int>();
#elif WRONG == 5
    config.serve<needs_an_int>();
#endif
    config.topic_rule("x*").coalesce_us = 3;
    config.tls("cert", "key").sni("a", "b", "c").client_ca("d").alpn({"http/1.1"});
    config.log(WRING_LOG_NOTICE, [](const wring_log_record &) {});
    auto server = wring::server::create(std::move(config));
    wring_error why{};
    if (!server || !server->start(why)) {
        return false;
    }
#if WRONG == 7
    wring::server copy = *server;
#endif
    server->visit(0, [](wring::session session) { session.close(); }).ignore();
    return server->set_policy(nullptr, wring::policy(), why) && server->set_topic_rules({}, why) &&
           server->close_topic("a", 4000, "b") && server->unsubscribe_topic("a") &&
           server->stats().accepted == 0;
}

static bool connect() {
    auto pool = wring::pool::create(
        std::move(wring::pool_config().log(WRING_LOG_ERROR, [](const wring_log_record &) {})));
    wring::client_config config;
    config.handle<nothing>().header("a", "b").origin("c").proxy("d").source("e");
    config.on_status([](wring::client_view, const wring_client_report &) {})
        .renew([](wring::client_view, const wring_client_renewal &, wring::renewal &next) {
            next.url("ws://x").header("a", "b");
            return wring::result();
        })
        .retry([](wring::client_view, const wring_client_report &, std::uint32_t &delay_ms) {
            return delay_ms < 5;
        })
        .on_handshake([](wring::client_view, bool, wring::bytes_view) {});
    config.tls().ca("x").certificate("y", "z").alpn({"http/1.1"});
    config.session().idle_timeout_ms = 1;
    config.deflate().level = 1;
    config.http2().sessions_max = 100;
    auto client = wring::client::create(pool->loop(), std::string("wss://x"), std::move(config));
    wring_error why{};
    wring::message message;
    wring_end end{};
    return client && client->wait(5s, why) && client->receive(1ms, message) &&
           client->exchange(wring::ping(), 1s, message) && client->wait_closed(1h, end) &&
           client->wait_closed(1us) && client->rtt() > 5ns &&
           client->ref().post([](wring::session session) { session.pause(); });
}

struct stream {
    wring::result send(wring::bytes_view bytes) {
        return bytes.empty() ? WRING_OK : WRING_ERR_TRANSPORT;
    }
    wring_result activate() { return WRING_OK; }
    void close() {}
};

static bool drive() {
    stream to;
    std::array<unsigned char, 3> bytes{};
    wring::embed_config config(WRING_ROLE_CLIENT);
    auto contexts = wring::deflate_contexts::create();
    config.handle<nothing>().deflate(*contexts, wring_deflate_params{});
    config.session().close_timeout_ms = 1;
    auto embed = wring::embed::create(to, std::move(config), wring::moment::now());
    auto machine = wring::machine::create(WRING_ROLE_CLIENT);
    wring::event event;
    return embed && embed->activate(1) && embed->feed(bytes, 2) && embed->flush(3) &&
           embed->expire(4) && embed->session().send(wring::text("x")) && machine->open(1) &&
           machine->feed(bytes, 2) && machine->next(event) && event.is_end();
}

#if WRING_CPP_EXCEPTIONS
static void thrown() {
    wring::server server{wring::server_config()};
    server.start();
    server.reload_tls();
    wring::pool pool;
    wring::client client(pool.loop(), "ws://x", wring::client_config());
    client.wait(1s);
    (void)client.receive(1s);
    stream to;
    wring::embed embed(to, wring::embed_config(), 1);
    wring::machine machine;
    wring::deflate_contexts contexts;
}
#endif

int main(int argc, char **) {
#if WRING_CPP_EXCEPTIONS
    if (argc > 2) {
        thrown();
    }
#endif
    return argc > 1 && serve() && connect() && drive() ? 0 : 1;
}
