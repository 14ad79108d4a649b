/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics in C++: who subscribes gets what is published, from sessions, from refs, from the server.
 */
#include <atomic>

#include "tests/cpp/serve.hpp"

static std::atomic<wring_ref> last_ref{0};

/* The path is the topic. "to:TEXT" goes to all others, "leave" unsubscribes. */
class member {
  public:
    member(wring::session session, const wring::request &request) : topic(request.path()) {
        if (topic != "/none") {
            session.subscribe(topic).throw_if_error();
        }
        session.send(wring::text("joined")).throw_if_error();
        last_ref = session.ref().raw();
    }
    void on_message(wring::session session, const wring::message &message) {
        if (message.text() == "leave") {
            session.unsubscribe(topic);
            session.send(wring::text("left")).throw_if_error();
        } else if (message.text().substr(0, 3) == "to:") {
            session.publish(topic, message.echo()).throw_if_error();
        } else if (message.is_data()) {
            session.server().publish(topic, message.echo()).throw_if_error();
        }
    }

  private:
    std::string topic;
};

static wring::server serve() {
    wring::server_config config;
    config.serve<member>();
    return started(std::move(config));
}

static wring::client joined(wring::pool &pool, const wring::server &server, const char *topic) {
    wring::client client = connected(pool, url_of(server, topic));
    CHECK(client.receive(wait_long).text() == "joined");
    return client;
}

static std::string next(const wring::client &client) {
    return std::string(client.receive(wait_long).text());
}

TEST(what_a_session_publishes_reaches_its_topic) {
    const wring::server server = serve();
    wring::pool pool;
    wring::client a = joined(pool, server, "/room");
    wring::client b = joined(pool, server, "/room");
    wring::client c = joined(pool, server, "/other");
    CHECK(a.send({wring::text("to:b"), wring::text("to all")}).ok());
    CHECK(next(a) == "to all" && next(b) == "to:b" && next(b) == "to all");
    CHECK(server.publish("/other", wring::text("for c")).ok() && next(c) == "for c");
    CHECK(b.send(wring::text("leave")).ok() && next(b) == "left");
    CHECK(server.publish("/room", wring::binary("x"), 7).ok() && next(a) == "x");
    CHECK(b.send(wring::text("to b itself: nothing")).ok() && next(a) == "to b itself: nothing");
    CHECK(server.topic_workers("/nobody") == 0 && server.topic_workers("/room") >= 1);
}

TEST(other_threads_subscribe_by_ref) {
    const wring::server server = serve();
    wring::pool pool;
    wring::client a = joined(pool, server, "/none");
    const wring::ref ref = last_ref.load();
    CHECK(ref.subscribe("news").ok() && ref.send(wring::text("subscribed")).ok());
    CHECK(next(a) == "subscribed");
    CHECK(server.publish("news", wring::text("one")).ok() && next(a) == "one");
    CHECK(ref.unsubscribe("news").ok() && ref.send(wring::text("unsubscribed")).ok());
    CHECK(next(a) == "unsubscribed");
    CHECK(server.publish("news", wring::text("two")).ok() && ref.send(wring::text("last")).ok());
    CHECK(next(a) == "last");
    CHECK(ref.close(4005, "by ref").ok() && end_of(a).close_code == 4005);
}

TEST(topics_are_closed_and_emptied) {
    const wring::server server = serve();
    wring::pool pool;
    wring::client a = joined(pool, server, "/room");
    wring::client b = joined(pool, server, "/room");
    wring::client c = joined(pool, server, "/other");
    CHECK(server.unsubscribe_topic("/other").ok());
    CHECK(check::eventually([&] { return server.topic_workers("/other") == 0; }));
    CHECK(server.publish("/room", wring::text("last words")).ok());
    CHECK(server.close_topic("/room", 4009, "over").ok());
    CHECK(next(a) == "last words" && next(b) == "last words");
    CHECK(end_of(a).close_code == 4009 && end_of(b).close_code == 4009);
    CHECK(c.status() == WRING_CLIENT_OPEN);
}

TEST(topic_rules_change_while_it_runs) {
    const wring::server server = serve();
    const std::string long_text(100, 'x');
    wring::pool pool;
    wring::client a = joined(pool, server, "/small/one");
    CHECK(server.publish("/small/one", wring::text(long_text)).ok() && next(a) == long_text);
    std::vector<wring::topic_rule> rules;
    rules.emplace_back(std::string("/small/") + "*").raw.message_bytes_max = 10;
    server.set_topic_rules(rules);
    CHECK(server.publish("/small/one", wring::text(long_text)) == WRING_ERR_MESSAGE_TOO_BIG);
    CHECK(server.publish("/small/one", wring::text("short")).ok() && next(a) == "short");
    rules.emplace_back("x").raw.struct_size = 1;
    wring_error why{};
    const wring::result refused = server.set_topic_rules(rules, why);
    CHECK(refused == WRING_ERR_INVALID_CONFIG && why.text[0] != 0);
}

TEST(a_topic_without_a_name_is_refused) {
    const wring::server server = serve();
    CHECK(server.publish("", wring::text("x")) == WRING_ERR_INVALID_ARGUMENT);
    CHECK(server.publish("t", wring::ping()) == WRING_ERR_INVALID_ARGUMENT);
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
