/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP request, such as the one that a session began with: its headers, query, cookies and
 * tokens. A std::string_view is of the connection's memory, good until the callback returns: copy
 * what you keep. A std::string is yours.
 *
 * Thread: that of the callback. Cost: views; looking up a header is linear in the headers. What is
 * decoded is copied.
 */
#ifndef WRING_CPP_REQUEST_HPP
#define WRING_CPP_REQUEST_HPP

#include <memory>
#include <optional>
#include <string>
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

namespace detail {

using decoder = wring_result (*)(wring_bytes, std::uint8_t *, std::size_t *);

inline std::optional<std::string> decoded(bytes_view text, decoder decode) {
    std::string out(text.size(), '\0');
    std::size_t len = 0;
    if (decode(text, reinterpret_cast<std::uint8_t *>(out.data()), &len) != WRING_OK) {
        return std::nullopt;
    }
    out.resize(len);
    return out;
}

} // namespace detail

/** Decodes "%41", once; '+' stays. Nothing when it is malformed (wring_percent_decode). */
[[nodiscard]] inline std::optional<std::string> percent_decode(bytes_view text) {
    return detail::decoded(text, wring_percent_decode);
}

/** The pairs of a query, or of a body of type application/x-www-form-urlencoded. */
class query_view {
  public:
    constexpr query_view() noexcept = default;
    explicit query_view(bytes_view given) noexcept : c(given) {}

    /** The first value of this name, decoded. Nothing when there is none, or it is malformed.
     *  @param name  as it is decoded, case-sensitive */
    [[nodiscard]] std::optional<std::string> get(c_string name) const {
        std::string out(c.len, '\0');
        std::size_t len = 0;
        if (wring_query_get(c, name, reinterpret_cast<std::uint8_t *>(out.data()), out.size(),
                            &len) != WRING_OK) {
            return std::nullopt;
        }
        out.resize(len);
        return out;
    }
    /** Calls `visit(name, value)` with each pair, as std::string_views of what was sent: decode()
     *  decodes them. */
    template <class Visit> void each(Visit &&visit) const {
        wring_query_cursor cursor{};
        wring_bytes name;
        wring_bytes value;
        while (wring_query_next(c, &cursor, &name, &value)) {
            visit(bytes_view(name).text(), bytes_view(value).text());
        }
    }
    /** Decodes a name or a value: '+' is a space. Nothing when it is malformed. */
    [[nodiscard]] static std::optional<std::string> decode(bytes_view text) {
        return detail::decoded(text, wring_query_decode);
    }

  private:
    wring_bytes c{nullptr, 0};
};

namespace detail {

/** An object on its way from the hook of an upgrade to the session. */
struct held {
    explicit held(const void *mark) noexcept : type(mark) {}
    held(const held &) = delete;
    held &operator=(const held &) = delete;
    virtual ~held() = default;
    const void *const type; /* &type_mark<T> of what it has */
};

template <class T> struct held_object final : held {
    explicit held_object(std::unique_ptr<T> given) noexcept
        : held(&type_mark<T>), object(std::move(given)) {}
    std::unique_ptr<T> object;
};

inline void held_lost(void *data) {
    delete static_cast<held *>(data);
}

} // namespace detail

/** A wring_request. */
class request {
  public:
    explicit request(const wring_request &given, detail::held *data = nullptr) noexcept
        : c(&given), accepted(data) {}

    [[nodiscard]] std::string_view method() const noexcept { return text(c->method); }
    /** 10 or 11 for HTTP/1.0 and 1.1, 20 for HTTP/2. */
    [[nodiscard]] std::uint32_t http_version() const noexcept { return c->http_version; }
    /** As in the request line. */
    [[nodiscard]] std::string_view target() const noexcept { return text(c->target); }
    /** The target up to '?'. A server's is percent-decoded, a client's raw. */
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
    /** A value of the query, decoded; see query_view::get. */
    [[nodiscard]] std::optional<std::string> query_value(c_string name) const {
        return query_view(c->query).get(name);
    }
    /** A cookie's value, as it was sent, without quotes around it. */
    [[nodiscard]] std::optional<std::string_view> cookie(c_string name) const noexcept {
        wring_bytes value;
        return found(wring_cookie_get(c->headers, name, &value), value);
    }
    /** The token of `Authorization: Bearer token`. */
    [[nodiscard]] std::optional<std::string_view> bearer() const noexcept {
        wring_bytes token;
        return found(wring_bearer_get(c->headers, &token), token);
    }
    /** What `{name}` in the route's path stands for, percent-decoded. */
    [[nodiscard]] std::optional<std::string_view> param(c_string name) const noexcept {
        wring_bytes value;
        return found(wring_request_param(c, name, &value), value);
    }
    /** The body of an exchange whose handler has no on_body. */
    [[nodiscard]] bytes_view body() const noexcept { return c->body; }
    /** In the constructor and on_open of a session: what the hook of its upgrade, one of the C++
     *  layer, accepted it with (acceptance::data). nullptr: nothing, something of another type, or
     *  it was taken. It is destroyed when on_open has returned.
     *  @tparam T  exactly the type it was given with */
    template <class T> [[nodiscard]] T *accept_data() const noexcept {
        auto *held = held_as<T>();
        return held == nullptr ? nullptr : held->object.get();
    }
    /** The same, and it is the caller's. */
    template <class T> [[nodiscard]] std::unique_ptr<T> take_accept_data() const noexcept {
        auto *held = held_as<T>();
        return held == nullptr ? nullptr : std::move(held->object);
    }
    /** nullptr: not over TLS. */
    [[nodiscard]] const wring_tls_info *tls() const noexcept { return c->tls; }
    [[nodiscard]] const wring_request &raw() const noexcept { return *c; }

  private:
    static std::string_view text(wring_bytes bytes) noexcept { return bytes_view(bytes).text(); }
    static std::optional<std::string_view> found(bool is_there, const wring_bytes &value) noexcept {
        return is_there ? std::optional(text(value)) : std::nullopt;
    }

    template <class T> detail::held_object<T> *held_as() const noexcept {
        const bool fits = accepted != nullptr && accepted->type == &detail::type_mark<T>;
        return fits ? static_cast<detail::held_object<T> *>(accepted) : nullptr;
    }

    const wring_request *c;
    detail::held *accepted;
};

WRING_CPP_END

#endif
