/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines in C++: two of them talk in memory.
 */
#include <string>
#include <vector>

#include <wring/cpp/machine.hpp>

#include "tests/cpp/check.hpp"

/* Everything that `from` has to say goes to `to`, `step` bytes at a time; texts come back. */
static std::vector<std::string> carry(wring::machine &from, wring::machine &to,
                                      std::size_t step = SIZE_MAX) {
    std::vector<std::string> heard;
    wring::event event;
    while (!from.output().empty()) {
        std::vector<std::uint8_t> wire = from.output().part(0, step).to_vector();
        from.sent(wire.size());
        CHECK(to.feed(wire, wring::moment::now()).ok());
        while (to.next(event)) {
            heard.push_back(event.is_end() ? "end" : std::string(event.message().text()));
        }
    }
    return heard;
}

struct pair_of {
    wring::machine client{WRING_ROLE_CLIENT};
    wring::machine server;
    pair_of() { CHECK(client.open(1).ok() && server.open(1).ok()); }
};

using texts = std::vector<std::string>;

TEST(messages_go_both_ways) {
    pair_of ends;
    CHECK(ends.client.send(wring::text("question")).ok());
    CHECK(carry(ends.client, ends.server) == texts{"question"});
    CHECK(ends.server.send(wring::text("answer")).ok());
    CHECK(ends.server.send(wring::binary(std::vector<std::uint8_t>{'b'})).ok());
    CHECK(carry(ends.server, ends.client, 1) == (texts{"answer", "b"}));
}

TEST(a_message_may_come_in_pieces) {
    pair_of ends;
    CHECK(ends.client.message_continue("x") == WRING_ERR_INVALID_STATE);
    CHECK(ends.client.message_begin(WRING_TEXT, "one ").ok());
    CHECK(ends.client.message_continue(std::string("two ")).ok());
    CHECK(ends.client.send(wring::text("x")) == WRING_ERR_MESSAGE_OPEN);
    CHECK(ends.client.message_end("three").ok());
    CHECK(carry(ends.client, ends.server) == texts{"one two three"});
}

TEST(both_ends_know_how_it_ended) {
    pair_of ends;
    CHECK(!ends.client.end() && ends.client.state() == WRING_MACHINE_OPEN);
    ends.client.close(4003, "bye");
    CHECK(carry(ends.client, ends.server) == (texts{"bye", "end"}));
    CHECK(carry(ends.server, ends.client) == (texts{"", "end"}));
    CHECK(ends.client.end() && ends.client.end()->close_code == 4003);
    CHECK(ends.server.end()->by_peer && !ends.client.end()->by_peer);
    CHECK(ends.server.is_finished() && ends.client.is_finished());
}

TEST(a_machine_that_is_not_open_takes_nothing) {
    wring::machine machine;
    std::vector<std::uint8_t> bytes(1);
    CHECK(machine.feed(bytes, 1) == WRING_ERR_INVALID_STATE);
    CHECK(machine.send(wring::text("x")) == WRING_ERR_INVALID_STATE);
    CHECK(machine.open(1).ok() && machine.open(1) == WRING_ERR_INVALID_STATE);
    machine.fail(WRING_ERR_TRUNCATED);
    wring::event event;
    CHECK(machine.next(event) && event.is_end() && !event.is_message() && !machine.next(event));
    CHECK(machine.end()->result == WRING_ERR_TRUNCATED);
}

TEST(limits_and_deadlines_are_those_of_the_configuration) {
    wring::machine_config config;
    config.session().message_bytes_max = 4;
    config.session().idle_timeout_ms = 10;
    wring::machine server(config);
    wring::machine client(WRING_ROLE_CLIENT);
    CHECK(server.open(1).ok() && client.open(1).ok());
    CHECK(server.deadline() == 10'000'001);
    CHECK(client.send(wring::text("12345")).ok());
    CHECK(carry(client, server) == texts{"end"});
    CHECK(server.end()->result == WRING_ERR_MESSAGE_TOO_BIG);
    wring::machine idle(config);
    CHECK(idle.open(1).ok());
    idle.expire(20'000'000);
    CHECK(idle.end()->result == WRING_ERR_TIMEOUT);
}

TEST(a_wrong_configuration_is_an_error_that_names_the_field) {
    wring::machine_config config;
    config.session().struct_size = 1;
    auto made = wring::machine::create(config);
    CHECK(!made && made.error().code() == WRING_ERR_INVALID_CONFIG);
    bool thrown = false;
    try {
        const wring::machine never(config);
    } catch (const wring::error &error) {
        thrown = error.code() == WRING_ERR_INVALID_CONFIG;
    }
    CHECK(thrown);
}

TEST(machines_move) {
    pair_of ends;
    CHECK(ends.client.send(wring::text("a")).ok());
    wring::machine moved = std::move(ends.client);
    wring::machine other;
    other = std::move(moved);
    CHECK(carry(other, ends.server) == texts{"a"});
}

TEST(compressed_messages_go_through_contexts) {
    wring::deflate_contexts contexts;
    wring_deflate_params params{};
    params.server_max_window_bits = params.client_max_window_bits = 15;
    params.server_no_context_takeover = params.client_no_context_takeover = true;
    wring::machine_config for_client(WRING_ROLE_CLIENT);
    wring::machine client(for_client.deflate(contexts, params));
    wring::machine server(wring::machine_config().deflate(contexts, params));
    CHECK(client.open(1).ok() && server.open(1).ok());
    const std::string text(10'000, 'z');
    CHECK(client.send(wring::text(text)).ok());
    CHECK(carry(client, server) == texts{text});
    CHECK(contexts.stats().tx_messages == 1 && contexts.stats().rx_messages == 1);
    CHECK(client.send(wring::text(text).compressed(WRING_COMPRESS_NEVER)).ok());
    CHECK(carry(client, server) == texts{text} && contexts.stats().tx_messages == 1);
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
