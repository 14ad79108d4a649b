/* SPDX-License-Identifier: Apache-2.0
 *
 * An embedded session and the machine of its peer, in one thread: what the handler does can be
 * counted exactly.
 */
#ifndef WRING_TESTS_CPP_LINK_HPP
#define WRING_TESTS_CPP_LINK_HPP

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <wring/cpp/embed.hpp>
#include <wring/cpp/machine.hpp>

#include "tests/cpp/check.hpp"

/** What the session writes to. */
struct memory_stream {
    std::vector<std::uint8_t> sent;
    int activated = 0;
    int closed = 0;
    bool send_throws = false;

    wring::result send(wring::bytes_view bytes) {
        if (send_throws) {
            throw std::runtime_error("the stream broke");
        }
        sent.insert(sent.end(), bytes.begin(), bytes.end());
        return {};
    }
    wring::result activate() {
        activated++;
        return {};
    }
    void close() { closed++; }
    std::string peername() { return "memory:1"; }
};

/** What was logged. */
struct log_lines {
    std::vector<std::string> lines;

    wring::log_function function() {
        return [this](const wring_log_record &log) { lines.push_back(wring::to_string(log)); };
    }
    bool has(const char *text) const {
        for (const std::string &line : lines) {
            if (line.find(text) != std::string::npos) {
                return true;
            }
        }
        return false;
    }
};

/** A server's session at one end, a client's machine at the other. */
class test_link {
  public:
    explicit test_link(wring::embed_config config) : peer(WRING_ROLE_CLIENT) {
        config.log(log.function());
        CHECK(peer.open(1).ok());
        auto made = wring::embed::create(stream, std::move(config), 1);
        if (made) {
            session.emplace(std::move(*made));
            (void)session->activate(2);
        } else {
            why = made.error().code();
        }
    }

    /** The peer sends, all in one batch; false: the session is over. */
    bool say(wring::frames_view frames) {
        for (std::size_t i = 0; i < frames.size(); i++) {
            CHECK(peer.send(frames.data()[i]).ok());
        }
        std::vector<std::uint8_t> wire;
        while (!peer.output().empty()) {
            wire.insert(wire.end(), peer.output().begin(), peer.output().end());
            peer.sent(peer.output().size());
        }
        return session->feed(wire, 3).ok();
    }

    /** What the peer got since the last time: texts, and "close CODE". */
    std::vector<std::string> heard() {
        std::vector<std::string> all;
        wring::event event;
        std::vector<std::uint8_t> wire = std::move(stream.sent);
        stream.sent.clear();
        CHECK(peer.feed(wire, 3).ok());
        while (peer.next(event)) {
            if (event.is_message()) {
                all.push_back(event.message().is_close()
                                  ? "close " + std::to_string(event.message().close_code())
                                  : std::string(event.message().text()));
            }
        }
        return all;
    }

    memory_stream stream;
    log_lines log;
    wring::machine peer;
    std::optional<wring::embed> session;
    wring_result why = WRING_OK;
};

using heard = std::vector<std::string>;

#endif
