/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for clients of a program that has no server.
 *
 *     wring::pool pool;
 *     wring::client client(pool.loop(), "wss://example.com/feed");
 */
#ifndef WRING_CPP_POOL_HPP
#define WRING_CPP_POOL_HPP

#include <memory>

#include "wring/cpp/log.hpp"
#include "wring/cpp/time.hpp"
#include "wring/pool.h"

WRING_CPP_BEGIN

/** The configuration of a pool: every field is in `raw`. */
class pool_config {
  public:
    /** Every field. */
    wring_pool_config raw = record<wring_pool_config>();

    /** @param level  the least important level that is wanted */
    pool_config &log(wring_log_level level, log_function write) {
        raw.log = detail::log_to(*log_, level, std::move(write));
        return *this;
    }

  private:
    friend class pool;
    std::unique_ptr<detail::site> log_ = std::make_unique<detail::site>();
};

/** Owns a wring_pool. Moves; one that was moved from has no threads.
 *  Thread: made and destroyed by one thread at a time, never by a callback; loop() and stats() are
 *  for any thread. */
class pool {
  public:
    /** Starts the threads.  Errors: as wring_pool_create */
    [[nodiscard]] static outcome<pool> create(pool_config config = {}) {
        wring_error why{};
        wring_pool *made = nullptr;
        if (wring_pool_create(&config.raw, &made, &why) != WRING_OK) {
            return why;
        }
        return pool(made, std::move(config.log_));
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    explicit pool(pool_config config = {}) : pool(create(std::move(config)).value()) {}
#endif

    /** One of its threads, each in turn. */
    [[nodiscard]] wring_loop loop() noexcept {
        return wring_pool_loop(c);
    }
    /** Sums over its threads since they were started.  @pre it has threads */
    [[nodiscard]] wring_pool_stats stats() const noexcept {
        auto out = record<wring_pool_stats>();
        (void)wring_pool_get_stats(c, &out);
        return out;
    }
    /** Closes every client with 1001, waits at most `drain` for their servers, and ends the
     *  threads. Clients stay valid, and closed. The pool has no threads then. */
    void stop(milliseconds drain = std::chrono::seconds(1)) noexcept {
        wring_pool_destroy(std::exchange(c, nullptr), drain.count());
    }
    [[nodiscard]] wring_pool *raw() const noexcept {
        return c;
    }

    pool(pool &&other) noexcept : c(std::exchange(other.c, nullptr)), log(std::move(other.log)) {}
    pool &operator=(pool &&other) noexcept {
        pool old(std::move(*this));
        c = std::exchange(other.c, nullptr);
        log = std::move(other.log);
        return *this;
    }
    /** As stop(). */
    ~pool() {
        stop();
    }

  private:
    pool(wring_pool *made, std::unique_ptr<detail::site> at) noexcept
        : c(made), log(std::move(at)) {}

    wring_pool *c;
    std::unique_ptr<detail::site> log; /* what the threads write to */
};

WRING_CPP_END

#endif
