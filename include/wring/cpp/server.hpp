/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket server: worker threads, each with its own listener and connections.
 *
 *     wring::server_config config(8080);
 *     config.serve<echo>();
 *     wring::server server(std::move(config));
 *     server.start();
 *
 * Thread: made, started, stopped and destroyed by one thread at a time, never by a callback.
 * Everything of server_view is for any thread.
 */
#ifndef WRING_CPP_SERVER_HPP
#define WRING_CPP_SERVER_HPP

#include "wring/cpp/time.hpp"
#include "wring/cpp/server_config.hpp"

WRING_CPP_BEGIN

/** Owns a wring_server and its configuration. Moves; views of it stay good then. One that was moved
 *  from may be destroyed, stopped and assigned to. */
class server : public server_view {
  public:
    /** Checks the configuration and makes a server; nothing runs yet.
     *  Errors: WRING_ERR_INVALID_CONFIG (the text names the field), WRING_ERR_TLS_CONFIG,
     *  WRING_ERR_NO_MEMORY */
    [[nodiscard]] static outcome<server> create(server_config given) {
        auto owned = std::make_unique<server_config>(std::move(given));
        server_config::records records{};
        wring_error why{};
        wring_server *made = nullptr;
        owned->finish(records);
        if (wring_server_create(&records.config, &made, &why) != WRING_OK) {
            return why;
        }
        return server(made, std::move(owned));
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    explicit server(server_config given) : server(create(std::move(given)).value()) {}
    /** Binds, starts the workers, and returns when all of them accept.
     *  Throws: error (WRING_ERR_ADDRESS, WRING_ERR_BACKEND, WRING_ERR_SYSTEM) */
    void start() {
        wring_error why{};
        detail::check(start(why).code(), why);
    }
#endif
    /** The same.  @param why  filled in when it fails */
    result start(wring_error &why) noexcept {
        return wring_server_start(c, &why);
    }

    /** Closes every session with 1001, lets exchanges be answered, waits until all are gone or
     *  `drain` is over, and ends the workers: wring_server_stop tells what becomes of each.
     *  Blocks until then, so not from a callback. End event streams before, and refuse new ones.
     *  A server that does not run is left as it is; it can be started again. */
    void stop(milliseconds drain = std::chrono::seconds(1)) noexcept {
        if (c != nullptr) {
            wring_server_stop(c, drain.count());
        }
    }

    server(server &&other) noexcept
        : server_view(std::exchange(other.c, nullptr), std::exchange(other.log, nullptr)),
          config(std::move(other.config)) {}
    server &operator=(server &&other) noexcept {
        server old(std::move(*this));
        c = std::exchange(other.c, nullptr);
        log = std::exchange(other.log, nullptr);
        config = std::move(other.config);
        return *this;
    }
    /** Stops it, if it runs, as stop() does. */
    ~server() {
        stop();
        wring_server_destroy(c);
    }

  private:
    server(wring_server *made, std::unique_ptr<server_config> owned) noexcept
        : server_view(made, owned->log_.get()), config(std::move(owned)) {}

    std::unique_ptr<server_config> config; /* what sessions and workers point to */
};

WRING_CPP_END

#endif
