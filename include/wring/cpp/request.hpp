/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP request that a session began with, and its headers. Everything is a view of the
 * connection's memory, good until the callback returns: copy what you keep.
 *
 * Thread: that of the callback. Cost: views; looking up a header is linear in the headers.
 */
#ifndef WRING_CPP_REQUEST_HPP
#define WRING_CPP_REQUEST_HPP

#include <optional>
#include <string_view>

#include "wring/cpp/bytes.hpp"
#include "wring/http.h"

WRING_CPP_BEGIN

/** Headers in their order. */
class headers_view {
  public:
    constexpr headers_view() noexcept = default;
    constexpr headers_view(wring_headers given) noexcept : c(given) {}

    /** The first header of this name, in any case. */
    [[nodiscard]] std::optional<std::string_view> get(c_string name) const noexcept {
        wring_bytes value;
        if (!wring_headers_get(c, name, &value)) {
            return std::nullopt;
        }
        return bytes_view(value).text();
    }
    [[nodiscard]] std::size_t count(c_string name) const noexcept {
        return wring_headers_count(c, name);
    }
    /** Has the list header `name` this element? */
    [[nodiscard]] bool has_token(c_string name, c_string token) const noexcept {
        return wring_headers_has_token(c, name, token);
    }
    /** Calls `visit` with each element of a comma-separated list header, as a std::string_view. */
    template <class Visit> void each_element(c_string name, Visit &&visit) const {
        wring_list_cursor cursor{};
        wring_bytes element;
        while (wring_headers_next(c, name, &cursor, &element)) {
            visit(bytes_view(element).text());
        }
    }

    /** For loops: each element is a wring_header with `name` and `value`. */
    [[nodiscard]] constexpr const wring_header *begin() const noexcept { return c.list; }
    [[nodiscard]] constexpr const wring_header *end() const noexcept { return c.list + c.count; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return c.count; }
    [[nodiscard]] constexpr wring_headers raw() const noexcept { return c; }

  private:
    wring_headers c{nullptr, 0};
};

/** A wring_request. */
class request {
  public:
    explicit request(const wring_request &given) noexcept : c(&given) {}

    [[nodiscard]] std::string_view method() const noexcept { return text(c->method); }
    /** As in the request line. */
    [[nodiscard]] std::string_view target() const noexcept { return text(c->target); }
    /** The target up to '?', raw. */
    [[nodiscard]] std::string_view path() const noexcept { return text(c->path); }
    /** Behind '?', raw; empty if there is none. */
    [[nodiscard]] std::string_view query() const noexcept { return text(c->query); }
    [[nodiscard]] std::string_view host() const noexcept { return text(c->host); }
    /** Empty if there is none. */
    [[nodiscard]] std::string_view origin() const noexcept { return text(c->origin); }
    /** The subprotocol that was chosen; empty if none. */
    [[nodiscard]] std::string_view subprotocol() const noexcept { return text(c->subprotocol); }
    /** "address:port"; empty where it is not known. */
    [[nodiscard]] std::string_view peer() const noexcept { return text(c->peer); }
    [[nodiscard]] headers_view headers() const noexcept { return c->headers; }
    [[nodiscard]] std::optional<std::string_view> header(c_string name) const noexcept {
        return headers().get(name);
    }
    /** nullptr: not over TLS. */
    [[nodiscard]] const wring_tls_info *tls() const noexcept { return c->tls; }
    [[nodiscard]] const wring_request &raw() const noexcept { return *c; }

  private:
    static std::string_view text(wring_bytes bytes) noexcept { return bytes_view(bytes).text(); }

    const wring_request *c;
};

WRING_CPP_END

#endif
