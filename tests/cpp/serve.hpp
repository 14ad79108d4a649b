/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers and blocking clients for tests, on ports of the system's choice.
 */
#ifndef WRING_TESTS_CPP_SERVE_HPP
#define WRING_TESTS_CPP_SERVE_HPP

#include <mutex>
#include <string>
#include <vector>

#include <wring/wring.hpp>

#include "tests/cpp/check.hpp"

inline constexpr std::chrono::seconds wait_long{60};

/** Started; exits with 77, a skip, where the backend that is asked for is not to be had. */
inline wring::server started(wring::server_config config, std::uint32_t workers = 2) {
    config.raw.workers = workers;
    config.raw.unpinned = true;
    wring::server server(std::move(config));
    try {
        server.start();
    } catch (const wring::error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::exit(error.code() == WRING_ERR_BACKEND ? 77 : 1);
    }
    return server;
}

inline std::string url_of(const wring::server_view &server, const char *path = "/") {
    return "ws://127.0.0.1:" + std::to_string(server.port()) + path;
}

/** An open client in the blocking style. */
inline wring::client connected(wring::pool &pool, const std::string &url) {
    wring::client client(pool.loop(), url);
    client.wait(wait_long);
    return client;
}

/** How its session ended. */
inline wring_end end_of(const wring::client &client) {
    wring_end end{};
    CHECK(client.wait_closed(wait_long, end).ok());
    return end;
}

/** What was logged, from any thread. */
class shared_log {
  public:
    wring::log_function function() {
        return [this](const wring_log_record &log) {
            const std::lock_guard<std::mutex> hold(lock);
            lines.push_back(wring::to_string(log));
        };
    }
    int count(const std::string &text) const {
        const std::lock_guard<std::mutex> hold(lock);
        int found = 0;
        for (const std::string &line : lines) {
            found += line.find(text) != std::string::npos;
        }
        return found;
    }

  private:
    mutable std::mutex lock;
    std::vector<std::string> lines;
};

#endif
