/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket client on a worker of a pool or of a server: with a handler, or in the blocking
 * style.
 *
 *     wring::pool pool;
 *     wring::client client(pool.loop(), "wss://example.com/feed");
 *     client.wait(5s);
 *     std::cout << client.exchange(wring::text("hello"), 5s).text();
 *
 * Thread: made and destroyed by any thread, callbacks included. Everything of client_view is for
 * any thread.
 */
#ifndef WRING_CPP_CLIENT_HPP
#define WRING_CPP_CLIENT_HPP

#include "wring/cpp/client_config.hpp"
#include "wring/cpp/pool.hpp"

WRING_CPP_BEGIN

/** Owns a wring_client. Moves; one that was moved from may be destroyed and assigned to. */
class client : public client_view {
  public:
    /** Makes a client and begins to connect.
     *  @param loop  of a pool or of a server
     *  Errors: as wring_client_create; the text says which value is meant */
    [[nodiscard]] static outcome<client> create(wring_loop loop, c_string url,
                                                client_config config = {}) {
        const wring_client_config made = config.finish();
        detail::client_parts *parts = config.parts.get();
        wring_error why{};
        wring_client *raw = nullptr;
        parts->owners.store(2); /* its callbacks may come before this returns */
        if (wring_client_create(loop, url, &made, &raw, &why) != WRING_OK) {
            parts->owners.store(1);
            return why;
        }
        return client(raw, std::move(config.parts));
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    client(wring_loop loop, c_string url, client_config config = {})
        : client(create(loop, url, std::move(config)).value()) {}
#endif

    client(client &&other) noexcept
        : client_view(std::exchange(other.c, nullptr)), parts(std::move(other.parts)) {}
    client &operator=(client &&other) noexcept {
        client old(std::move(*this));
        c = std::exchange(other.c, nullptr);
        parts = std::move(other.parts);
        return *this;
    }
    /** Closes with 1000 if it is open, and does not wait for it: callbacks may still come, the last
     *  of them with WRING_CLIENT_CLOSED. Messages nobody received are dropped. */
    ~client() {
        wring_client_destroy(c);
    }

  private:
    client(wring_client *made, detail::client_parts_owner owned) noexcept
        : client_view(made), parts(std::move(owned)) {}

    detail::client_parts_owner parts;
};

WRING_CPP_END

#endif
