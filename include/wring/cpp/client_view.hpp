/* SPDX-License-Identifier: Apache-2.0
 *
 * What callbacks and other threads ask of a client. The class is a pointer that owns nothing: it is
 * given to the client's callbacks, session.client() returns it, and a wring::client is one as well.
 *
 * Thread: any, except where it is said. Cost: that of the C function.
 */
#ifndef WRING_CPP_CLIENT_VIEW_HPP
#define WRING_CPP_CLIENT_VIEW_HPP

#include <vector>

#include "wring/client.h"
#include "wring/cpp/request.hpp"
#include "wring/cpp/session.hpp"
#include "wring/cpp/time.hpp"

WRING_CPP_BEGIN

/** URL and headers for the next attempt; what is not set is as in the last attempt. Owns them. */
class renewal {
  public:
    /** The whole URL. */
    renewal &url(std::string_view text) {
        url_ = text;
        return *this;
    }
    /** One more header. The first one takes the place of all headers of the last attempt. */
    renewal &header(std::string_view name, std::string_view value) {
        headers_changed = true;
        texts.push_back({std::string(name), std::string(value)});
        return *this;
    }
    /** No headers. */
    renewal &no_headers() {
        headers_changed = true;
        texts.clear();
        return *this;
    }

    /** Fills in the record, pointing into this object: until that changes or goes. */
    void put(wring_client_renewal &out) {
        if (url_) {
            out.url = url_->c_str();
        }
        if (headers_changed) {
            list.clear();
            for (const auto &[name, value] : texts) {
                list.push_back({bytes_view(name), bytes_view(value)});
            }
            static const wring_header none{}; /* no headers have a list, too: see the record */
            out.headers = {list.empty() ? &none : list.data(), list.size()};
        }
    }

  private:
    struct text_pair {
        std::string name;
        std::string value;
    };
    std::optional<std::string> url_;
    bool headers_changed = false;
    std::vector<text_pair> texts;
    std::vector<wring_header> list;
};

/** A wring_client that somebody else owns. */
class client_view {
  public:
    explicit client_view(wring_client *given) noexcept : c(given) {}

    /** Sends frames, in order and together.
     *  Errors: as wring_ref_send; WRING_ERR_CLOSED when it is not open */
    result send(frames_view frames) const noexcept {
        return wring_client_send(c, frames.data(), frames.size());
    }
    /** Begins the close handshake and ends reconnecting; twice is legal. */
    void close(std::uint16_t code = WRING_CLOSE_NORMAL,
               std::string_view reason = {}) const noexcept {
        wring_client_close(c, code, bytes_view(reason));
    }
    /** The session at hand; none when it is not open. */
    [[nodiscard]] wring::ref ref() const noexcept { return wring_client_ref(c); }
    /** What the client is doing. */
    [[nodiscard]] wring_client_status status() const noexcept { return wring_client_get_status(c); }
    /** Round trip of the last keepalive ping; 0 before the first. */
    [[nodiscard]] std::chrono::nanoseconds rtt() const noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(wring_client_rtt_ns(c)));
    }
    /** Answers a renew function that returned WRING_MORE.
     *  @param answer  WRING_OK, or the error that ends the attempt
     *  Errors: as wring_client_renew */
    result renew(result answer, renewal changes = {}) const {
        auto out = record<wring_client_renewal>();
        changes.put(out);
        return wring_client_renew(c, answer.code(), &out);
    }

    /* ---- the blocking style: any thread except a worker's ---- */

    /** Waits until it is open.
     *  Errors: WRING_ERR_TIMEOUT; when it is closed, why: `why` says more */
    result wait(milliseconds longest, wring_error &why) const noexcept {
        return wring_client_wait(c, longest.count(), &why);
    }
    /** The next text or binary message of a client without a handler.
     *  @param out  good until the next call   One receiving thread at a time
     *  Errors: WRING_ERR_TIMEOUT; WRING_ERR_CLOSED when it is closed and nothing is left */
    result receive(milliseconds longest, message &out) const noexcept {
        wring_message got{};
        const result received = wring_client_receive(c, longest.count(), &got);
        out = received.ok() ? message(got) : message();
        return received;
    }
    /** Sends one frame and waits for the next message: a request and its answer. */
    result exchange(const frame &one, milliseconds longest, message &out) const noexcept {
        wring_message got{};
        const result received = wring_client_ask(c, &one, longest.count(), &got);
        out = received.ok() ? message(got) : message();
        return received;
    }
    /** Waits until it is closed for good.  @param end  how the last session ended
     *  Errors: WRING_ERR_TIMEOUT */
    result wait_closed(milliseconds longest, wring_end &end) const noexcept {
        end = record<wring_end>();
        return wring_client_wait_closed(c, longest.count(), &end);
    }
    /** The same, for whom the end does not matter. */
    result wait_closed(milliseconds longest) const noexcept {
        return wring_client_wait_closed(c, longest.count(), nullptr);
    }
#if WRING_CPP_EXCEPTIONS
    /* The same, and throw an error. */
    void wait(milliseconds longest) const {
        wring_error why{};
        detail::check(wait(longest, why).code(), why);
    }
    [[nodiscard]] message receive(milliseconds longest) const {
        message got;
        receive(longest, got).throw_if_error();
        return got;
    }
    [[nodiscard]] message exchange(const frame &one, milliseconds longest) const {
        message got;
        exchange(one, longest, got).throw_if_error();
        return got;
    }
#endif

    [[nodiscard]] wring_client *raw() const noexcept {
        return c;
    }

  protected:
    wring_client *c;
};

inline client_view session::client() const noexcept {
    return client_view(wring_session_client(c));
}

WRING_CPP_END

#endif
