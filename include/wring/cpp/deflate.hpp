/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression for programs that drive machines or embedded sessions: the contexts of one thread,
 * and what was negotiated. Servers and clients need none of this: see policy::deflate and
 * client_config::deflate. Negotiation itself is in wring/deflate.h.
 *
 * Thread: one at a time.
 */
#ifndef WRING_CPP_DEFLATE_HPP
#define WRING_CPP_DEFLATE_HPP

#include <utility>

#include "wring/cpp/error.hpp"
#include "wring/deflate.h"

WRING_CPP_BEGIN

/** Owns a wring_deflate: the compressors and inflaters of one thread's sessions. Moves. It has to
 *  outlive the machines and sessions that use it. */
class deflate_contexts {
  public:
    /** Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY */
    [[nodiscard]] static outcome<deflate_contexts>
    create(const wring_deflate_config &config = record<wring_deflate_config>()) {
        wring_error why{};
        wring_deflate *made = nullptr;
        if (wring_deflate_create(&config, &made, &why) != WRING_OK) {
            return why;
        }
        return deflate_contexts(made);
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    explicit deflate_contexts(const wring_deflate_config &config = record<wring_deflate_config>())
        : deflate_contexts(create(config).value()) {}
#endif

    [[nodiscard]] wring_deflate_stats stats() const noexcept {
        auto out = record<wring_deflate_stats>();
        (void)wring_deflate_get_stats(c, &out);
        return out;
    }
    [[nodiscard]] wring_deflate *raw() const noexcept {
        return c;
    }

    deflate_contexts(deflate_contexts &&other) noexcept : c(std::exchange(other.c, nullptr)) {}
    deflate_contexts &operator=(deflate_contexts &&other) noexcept {
        std::swap(c, other.c);
        return *this;
    }
    ~deflate_contexts() {
        wring_deflate_destroy(c);
    }

  private:
    explicit deflate_contexts(wring_deflate *made) noexcept : c(made) {}

    wring_deflate *c;
};

WRING_CPP_END

#endif
