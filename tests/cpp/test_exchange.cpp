/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges in C++, over the loopback: what handlers answer, what becomes of their exceptions,
 * answers from other threads, bodies in pieces, and upgrades with what they hand to their sessions.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>

#include "tests/cpp/serve.hpp"

/* ---- a client of a few lines ------------------------------------------------------------------
   */

class raw_client {
  public:
    explicit raw_client(std::uint16_t port) : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
        const timeval patience{60, 0};
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    }
    raw_client(const raw_client &) = delete;
    raw_client &operator=(const raw_client &) = delete;
    ~raw_client() { hang_up(); }

    void hang_up() {
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
    }
    void say(const std::string &text) const {
        CHECK(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(text.size()));
    }
    /** Everything up to and with `mark`; what was before the end if the end comes first. */
    std::string until(const std::string &mark) {
        std::size_t at;
        while ((at = got.find(mark)) == std::string::npos) {
            if (!more()) {
                return std::exchange(got, {});
            }
        }
        return taken(at + mark.size());
    }
    /** "status body", of an answer with a Content-Length. */
    std::string answer() {
        head = until("\r\n\r\n");
        if (head.size() < 12) {
            return "nothing";
        }
        const std::size_t length = head.find("Content-Length: ");
        const std::size_t bytes =
            length == std::string::npos ? 0 : std::stoul(head.substr(length + 16));
        while (got.size() < bytes && more()) {
        }
        return head.substr(9, 3) + " " + taken(std::min(bytes, got.size()));
    }
    std::string rest() {
        while (more()) {
        }
        return std::exchange(got, {});
    }
    bool has_header(const char *text) const { return head.find(text) != std::string::npos; }

  private:
    bool more() {
        char buffer[4096];
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        got.append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
        return n > 0;
    }
    std::string taken(std::size_t count) {
        std::string text = got.substr(0, count);
        got.erase(0, count);
        return text;
    }

    int fd;
    std::string got;
    std::string head;
};

static std::string request(const char *method, const std::string &path,
                           const std::string &headers = "", const std::string &body = "") {
    const std::string length =
        body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return std::string(method) + " " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + length +
           "\r\n" + body;
}

static const char *const upgrade_headers =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

static std::atomic<int> alive{0};

/** An object whose life is counted. */
struct counted {
    counted() { alive++; }
    counted(counted &&other) noexcept : name(std::move(other.name)) { alive++; }
    ~counted() { alive--; }
    std::string name = "a name that is long enough for the heap";
};

static bool all_gone() {
    return check::eventually([] { return alive == 0; });
}

/* ---- answers ----------------------------------------------------------------------------------
   */

TEST(functions_answer_in_order) {
    wring::server_config config;
    config.get("/healthz", [](wring::exchange &exchange) { exchange.answer("ok\n"); });
    config.post("/length", [](wring::exchange &exchange) {
        exchange.answer(std::to_string(exchange.request().body().size()));
    });
    config.http("PUT, DELETE", "/users/{id}/*", [](wring::exchange exchange) {
        const wring::request request = exchange.request();
        exchange.answer(wring::answer(202)
                            .content_type("text/x-" + std::string(request.method()))
                            .header("X-Id", std::string(*request.param("id")))
                            .body(std::string(request.query_value("q").value_or("none"))));
    });
    wring::server server = started(std::move(config));
    raw_client client(server.port());
    client.say(request("GET", "/healthz") + request("POST", "/length", "", "12345") +
               request("DELETE", "/users/4%32/x?q=a+b") + request("PUT", "/users/1/") +
               request("GET", "/none") + request("DELETE", "/healthz"));
    CHECK(client.answer() == "200 ok\n" && client.has_header("text/plain"));
    CHECK(client.answer() == "200 5");
    CHECK(client.answer() == "202 a b");
    CHECK(client.has_header("X-Id: 42\r\n") && client.has_header("text/x-DELETE\r\n"));
    CHECK(client.answer() == "202 none");
    CHECK(client.answer().substr(0, 3) == "404" && client.answer().substr(0, 3) == "405");
}

TEST(an_illegal_answer_says_so_and_becomes_a_500) {
    static std::atomic<int> seen{0};
    wring::server_config config;
    config.get("/*", [](wring::exchange &exchange) {
        seen += exchange.answer(99).code() == WRING_ERR_INVALID_ARGUMENT;
        seen += exchange.answer(65736).code() == WRING_ERR_INVALID_ARGUMENT;
        seen += exchange.answer(wring::answer(-1)).code() == WRING_ERR_INVALID_ARGUMENT;
        seen += exchange.answer(wring::answer().header("a", "b\r\nc: d")).code() ==
                WRING_ERR_INVALID_HEADER;
        seen += exchange.answer(wring::answer().header("a", std::string("b\0c", 3))).code() ==
                WRING_ERR_INVALID_HEADER;
        seen += exchange.accept().code() == WRING_ERR_INVALID_STATE;
    });
    wring::server server = started(std::move(config));
    raw_client client(server.port());
    client.say(request("GET", "/"));
    CHECK(client.answer().substr(0, 3) == "500" && seen == 6);
}

/* ---- classes ----------------------------------------------------------------------------------
   */

static std::atomic<int> done{0};

struct echo_stream {
    static constexpr const char *handler_name = "echo_stream";

    echo_stream(wring::exchange &, const wring::request &, const std::string &opts) : type(opts) {}
    void on_request(wring::exchange &exchange, const wring::request &request) {
        CHECK(request.body().empty() && &exchange.state<echo_stream>() == this);
        CHECK(exchange.try_state<counted>() == nullptr);
        CHECK(&exchange.opts<const std::string>() == &type);
        exchange.answer_begin(wring::answer().content_type(type)).throw_if_error();
    }
    void on_body(wring::exchange &exchange, wring::bytes_view piece, bool is_last) {
        bytes += piece.size();
        exchange.answer_write(piece).throw_if_error();
        if (is_last) {
            exchange.answer_write(" " + std::to_string(bytes)).throw_if_error();
            exchange.answer_end().throw_if_error();
        }
    }
    void on_done(wring::exchange &exchange, const wring_exchange_end &end) {
        CHECK(exchange.request().method() == "POST");
        done += end.result == WRING_OK && end.rx_bytes == bytes;
    }

    const std::string &type;
    std::uint64_t bytes = 0;
    counted life;
};

TEST(a_body_is_echoed_in_pieces) {
    const std::string type = "application/x-echo";
    wring::server_config config;
    config.http<echo_stream>("POST", "/echo", type);
    wring::server server = started(std::move(config));
    done = 0;
    {
        raw_client client(server.port());
        const std::string head = request("POST", "/echo", "Transfer-Encoding: chunked\r\n");
        client.say(head + "5\r\nhello\r\n");
        CHECK(client.until("hello\r\n").find("Transfer-Encoding: chunked") != std::string::npos);
        client.say("6\r\n world\r\n"); /* the first piece was answered before */
        client.say("0\r\n\r\n" + request("POST", "/echo", "Connection: close\r\n", "again"));
        CHECK(client.until("0\r\n\r\n") == "6\r\n world\r\n3\r\n 11\r\n0\r\n\r\n");
        const std::string second = client.rest();
        CHECK(second.find("Content-Type: application/x-echo\r\n") != std::string::npos);
        CHECK(second.find("5\r\nagain\r\n2\r\n 5\r\n0\r\n\r\n") != std::string::npos);
    }
    CHECK(all_gone() && done == 2);
    raw_client cut(server.port());
    cut.say(request("POST", "/echo", "Content-Length: 50\r\n") + "part");
    CHECK(cut.until("part").find("200 OK") != std::string::npos && alive == 1);
    cut.hang_up();
    CHECK(all_gone() && done == 2);
}

TEST(opts_that_were_moved_in_go_with_the_server) {
    struct taken {
        std::shared_ptr<int> number;
    };
    struct reader {
        void on_request(wring::exchange &exchange, const wring::request &) {
            exchange.answer(std::to_string(*exchange.opts<taken>().number));
        }
    };
    auto number = std::make_shared<int>(5);
    {
        wring::server_config config;
        config.route("/a").http<reader>(taken{number}).methods(std::string("GET"));
        CHECK(number.use_count() == 2);
        wring::server server = started(std::move(config));
        raw_client client(server.port());
        client.say(request("GET", "/a"));
        CHECK(client.answer() == "200 5");
    }
    CHECK(number.use_count() == 1);
}

TEST(a_route_has_its_own_limit_of_bodies) {
    wring::server_config config;
    config.post("/small", [](wring::exchange &exchange) { exchange.answer("ok"); }).body_max(4);
    wring::server server = started(std::move(config));
    raw_client client(server.port());
    client.say(request("POST", "/small", "", "1234"));
    CHECK(client.answer() == "200 ok");
    client.say(request("POST", "/small", "", "12345"));
    CHECK(client.answer().substr(0, 3) == "413");
}

/* ---- exceptions -------------------------------------------------------------------------------
   */

struct moody {
    static constexpr const char *handler_name = "moody";

    explicit moody(wring::exchange &exchange) : mood(exchange.request().query()) {
        if (mood == "constructor") {
            throw std::runtime_error("not built");
        }
    }
    void on_request(wring::exchange &exchange, const wring::request &) {
        if (mood == "begun") {
            exchange.answer_begin(wring::answer().body("half")).throw_if_error();
        }
        if (mood == "post") {
            exchange.ref()
                .post([](wring::exchange &) { throw std::runtime_error("posted"); })
                .throw_if_error();
        } else if (mood != "body" && mood != "done") {
            throw std::runtime_error("no answer");
        }
    }
    void on_body(wring::exchange &exchange, wring::bytes_view, bool is_last) {
        if (mood == "body") {
            throw std::runtime_error("no body");
        }
        if (is_last && mood == "done") {
            exchange.answer("fine");
        }
    }
    void on_done(wring::exchange &, const wring_exchange_end &end) {
        done++;
        if (mood == "done") {
            CHECK(end.status == 200);
            throw std::runtime_error("after all");
        }
    }

    counted life;
    std::string mood;
};

TEST(exceptions_stay_with_their_exchange) {
    shared_log log;
    wring::server_config config;
    config.http<moody>("*", "/moody");
    config.log(WRING_LOG_ERROR, log.function());
    wring::server server = started(std::move(config), 1);
    raw_client neighbour(server.port());
    const auto ask = [&](const char *mood) {
        raw_client client(server.port());
        client.say(request("POST", std::string("/moody?") + mood, "Connection: close\r\n", "x"));
        return client.rest();
    };
    done = 0;
    const std::string refused = ask("constructor");
    CHECK(refused.find(" 500 ") != std::string::npos);
    CHECK(refused.find("internal error\n") != std::string::npos);
    CHECK(all_gone() && done == 0); /* it was never built */
    CHECK(ask("request").find(" 500 ") != std::string::npos && all_gone() && done == 1);
    CHECK(ask("begun").find("0\r\n\r\n") == std::string::npos && all_gone() && done == 2);
    CHECK(ask("body").empty() && all_gone() && done == 3);
    CHECK(ask("post").empty() && all_gone() && done == 4);
    CHECK(ask("done").find("fine") != std::string::npos && all_gone() && done == 5);
    CHECK(log.count("callback_exception") == 6);
    CHECK(log.count("callback=constructor, handler=moody, what=not built") == 1);
    CHECK(log.count("callback=on_request, handler=moody, what=no answer") == 2);
    CHECK(log.count("callback=on_body, handler=moody, what=no body") == 1);
    CHECK(log.count("callback=post, handler=moody, what=posted") == 1);
    CHECK(log.count("callback=on_done, handler=moody, what=after all") == 1);
    neighbour.say(request("POST", "/moody?done", "", "x"));
    CHECK(neighbour.answer() == "200 fine");
}

/* ---- other threads ----------------------------------------------------------------------------
   */

/** Threads that are joined before what they use is gone. */
class crew {
  public:
    ~crew() {
        for (std::thread &one : all) {
            one.join();
        }
    }
    template <class F> void run(F &&body) {
        const std::lock_guard<std::mutex> hold(lock);
        all.emplace_back(std::forward<F>(body));
    }

  private:
    std::mutex lock;
    std::vector<std::thread> all;
};

TEST(answers_come_from_other_threads) {
    crew threads;
    wring::server_config config;
    config.get("/later", [&threads](wring::exchange &exchange) {
        const wring::exchange_ref ref = exchange.ref();
        CHECK(ref && ref == exchange.ref());
        threads.run([ref, name = std::string(exchange.request().query())] {
            CHECK(ref.answer(wring::answer(201).header("X-Name", name).body(name)).ok());
        });
    });
    config.get("/post", [&threads](wring::exchange &exchange) {
        threads.run([ref = exchange.ref(), held = std::make_unique<counted>()]() mutable {
            CHECK(ref.post([held = std::move(held)](wring::exchange &then) {
                         then.answer(then.request().path());
                     })
                      .ok());
        });
    });
    config.get("/stop", [](wring::exchange &exchange) { CHECK(exchange.ref().stop().ok()); });
    wring::server server = started(std::move(config));
    raw_client client(server.port());
    client.say(request("GET", "/later?one") + request("GET", "/post") +
               request("GET", "/later?two"));
    CHECK(client.answer() == "201 one" && client.has_header("X-Name: one\r\n"));
    CHECK(client.answer() == "200 /post" && client.answer() == "201 two");
    client.say(request("GET", "/stop"));
    CHECK(client.answer() == "nothing" && all_gone());
}

TEST(what_comes_too_late_is_dropped_and_destroyed) {
    wring::exchange_ref none;
    CHECK(!none && none.answer("x") == WRING_ERR_CLOSED && none.accept() == WRING_ERR_CLOSED);
    CHECK(none.post([held = counted()](wring::exchange &) { NEVER(); }) == WRING_ERR_CLOSED);
    wring::acceptance kept;
    kept.data(counted());
    CHECK(none.accept(kept) == WRING_ERR_CLOSED && alive == 1);
    kept = wring::acceptance();
    CHECK(alive == 0);
    static std::atomic<wring_ref> last{WRING_REF_NONE};
    wring::server_config config;
    config.get("/*", [](wring::exchange &exchange) {
        last = exchange.ref().raw();
        exchange.answer("now");
    });
    wring::server server = started(std::move(config), 1);
    raw_client client(server.port());
    client.say(request("GET", "/"));
    CHECK(client.answer() == "200 now");
    const wring::exchange_ref gone(last.load());
    CHECK(gone.answer("late").ok() && gone.accept(wring::acceptance().data(counted())).ok());
    CHECK(gone.post([held = counted()](wring::exchange &) { NEVER(); }).ok());
    CHECK(all_gone());
    client.say(request("GET", "/"));
    CHECK(client.answer() == "200 now" && server.stats().mail_lost >= 2);
}

/* ---- upgrades ---------------------------------------------------------------------------------
   */

struct user {
    std::string name;
    counted life;
};

/** Greets the user that the hook made. */
struct guest {
    guest(wring::session session, const wring::request &request) {
        CHECK(request.accept_data<int>() == nullptr);
        CHECK(request.take_accept_data<std::string>() == nullptr);
        if (request.query() == "throw") {
            throw std::runtime_error("no seat");
        }
        const user *shown = request.accept_data<user>();
        if (request.query() != "leave") {
            mine = request.take_accept_data<user>();
            CHECK(mine.get() == shown && request.accept_data<user>() == nullptr);
        }
        const std::string name = shown == nullptr ? "nobody" : shown->name;
        session.send(wring::text(name + " " + std::string(request.subprotocol()))).throw_if_error();
    }
    std::unique_ptr<user> mine;
};

static std::unique_ptr<user> user_named(std::string_view name) {
    auto made = std::make_unique<user>();
    made->name = name;
    return made;
}

static void decide(wring::exchange &exchange) {
    const auto token = exchange.request().bearer();
    if (!token) {
        exchange.answer(wring::answer(401).header("WWW-Authenticate", "Bearer").body("who?\n"));
    } else if (*token == "unoffered") {
        wring::acceptance wrong;
        wrong.subprotocol("unoffered").data(user_named("x"));
        CHECK(exchange.accept(wrong).code() == WRING_ERR_UNEXPECTED_SUBPROTOCOL && alive >= 1);
        exchange.answer(403);
    } else if (*token == "throw") {
        exchange.accept(wring::acceptance().data(user_named("x")));
        throw std::runtime_error("second thoughts");
    } else if (*token != "empty") {
        exchange.accept(wring::acceptance()
                            .subprotocol("second")
                            .header("Set-Cookie", "sid=1")
                            .data(user_named(*token)));
    } else {
        exchange.accept();
    }
}

static std::string said(raw_client &client) { /* a short frame without a mask */
    const std::string head = client.until("\r\n\r\n");
    if (head.size() < 12 || head.substr(9, 3) != "101") {
        return head.size() < 12 ? "cut" : head.substr(9, 3);
    }
    client.say(std::string("\x88\x82\0\0\0\0\x03\xE8", 8));
    const std::string frames = client.rest();
    return frames.size() < 2 ? "nothing" : frames.substr(2, static_cast<unsigned char>(frames[1]));
}

static std::string joins(const wring::server &server, const std::string &path,
                         const std::string &headers) {
    raw_client client(server.port());
    client.say(request("GET", path,
                       std::string(upgrade_headers) + "Sec-WebSocket-Protocol: first, second\r\n" +
                           headers));
    return said(client);
}

TEST(hooks_decide_over_upgrades) {
    shared_log log;
    wring::server_config config;
    config.log(WRING_LOG_ERROR, log.function());
    config.route<guest>("/ws").upgrade(decide).http(
        [](wring::exchange &exchange) { exchange.answer("a page"); });
    config.route<guest>("/open").origins({"https://friend.example"});
    wring::server server = started(std::move(config));
    CHECK(joins(server, "/ws", "") == "401");
    CHECK(joins(server, "/ws", "Authorization: Bearer unoffered\r\n") == "403");
    CHECK(joins(server, "/ws", "Authorization: Bearer empty\r\n") == "nobody ");
    CHECK(joins(server, "/ws", "Authorization: Bearer Ada\r\n") == "Ada second");
    CHECK(joins(server, "/ws?leave", "Authorization: Bearer Ada\r\n") == "Ada second");
    CHECK(joins(server, "/ws?throw", "Authorization: Bearer Ada\r\n").substr(0, 2) == "\x03\xF3");
    CHECK(joins(server, "/ws", "Authorization: Bearer throw\r\n") == "cut");
    CHECK(all_gone());
    CHECK(log.count("handler=function, what=second thoughts") == 1);
    CHECK(log.count("what=no seat") == 1);
    CHECK(joins(server, "/open", "Origin: https://friend.example\r\n") == "nobody ");
    CHECK(joins(server, "/open", "Origin: https://foe.example\r\n") == "403");
    raw_client plain(server.port());
    plain.say(request("GET", "/ws"));
    CHECK(plain.answer() == "200 a page");
    raw_client refused(server.port());
    refused.say(request("GET", "/ws", upgrade_headers) + request("GET", "/ws"));
    CHECK(refused.answer() == "401 who?\n" && refused.has_header("WWW-Authenticate: Bearer\r\n"));
    CHECK(refused.rest().empty()); /* nothing behind it is answered */
}

TEST(upgrades_are_accepted_later_with_data) {
    crew threads;
    wring::server_config config;
    config.route<guest>("/ws").upgrade([&threads](wring::exchange &exchange) {
        threads.run([ref = exchange.ref(), name = std::string(exchange.request().query())] {
            if (name == "nobody") {
                CHECK(ref.answer(403, "not you\n").ok());
                return;
            }
            CHECK(
                ref.accept(wring::acceptance().header("X-Later", "1").data(user_named(name))).ok());
            CHECK(ref.accept(wring::acceptance().data(user_named("twice"))).ok());
        });
    });
    wring::server server = started(std::move(config));
    CHECK(joins(server, "/ws?Ada", "") == "Ada ");
    CHECK(joins(server, "/ws?nobody", "") == "403");
    CHECK(all_gone());
}

TEST(data_of_a_client_that_left_is_destroyed) {
    static std::atomic<wring_ref> last{WRING_REF_NONE};
    struct waits {
        void on_request(wring::exchange &exchange, const wring::request &) {
            last = exchange.ref().raw();
        }
        void on_done(wring::exchange &, const wring_exchange_end &end) {
            CHECK(end.result != WRING_OK);
            done++;
        }
        counted life;
    };
    done = 0;
    wring::server_config config;
    config.route<guest>("/ws").upgrade<waits>();
    wring::server server = started(std::move(config), 1);
    {
        raw_client client(server.port());
        client.say(request("GET", "/ws", upgrade_headers));
        CHECK(check::eventually([] { return last != WRING_REF_NONE; }));
    }
    CHECK(check::eventually([] { return done == 1; }));
    CHECK(wring::exchange_ref(last.load()).accept(wring::acceptance().data(user_named("x"))).ok());
    CHECK(all_gone());
    raw_client client(server.port()); /* and one that waits while the server stops */
    last = WRING_REF_NONE;
    client.say(request("GET", "/ws", upgrade_headers));
    CHECK(check::eventually([] { return last != WRING_REF_NONE; }));
    server.stop(std::chrono::milliseconds(0));
    CHECK(alive == 0 && done == 2);
    CHECK(wring::exchange_ref(last.load()).accept(wring::acceptance().data(user_named("x"))) ==
          WRING_ERR_CLOSED);
    CHECK(alive == 0);
}

/* The hook is the C API's: its data is no object of the layer, and is left alone. */
TEST(a_hook_in_c_hands_its_own_data) {
    static int number = 7;
    struct reader {
        reader(wring::session session, const wring::request &request) {
            CHECK(request.raw().accept_data == &number);
            CHECK(request.accept_data<int>() == nullptr);
            session.send(wring::text("seen")).ignore();
        }
    };
    auto hook = wring::record<wring_http_handler>();
    hook.request = [](wring_exchange *exchange, const wring_request *, void *) {
        auto accept = wring::record<wring_accept>();
        accept.data = &number;
        CHECK(wring_exchange_accept(exchange, &accept) == WRING_OK);
    };
    wring::server_config config;
    config.route<reader>("/ws").raw.upgrade = &hook;
    wring::server server = started(std::move(config));
    CHECK(joins(server, "/ws", "") == "seen");
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
