/* SPDX-License-Identifier: Apache-2.0
 *
 * What an exchange is answered with, and what an upgrade is accepted with. Both own their strings,
 * so that they can be filled in in one place and sent in another one, or on another thread.
 *
 *     exchange.answer(wring::answer(201).header("Location", "/things/5").body(json));
 *     exchange.accept(wring::acceptance().subprotocol("chat").data(std::move(user)));
 *
 * Thread: one at a time. What they are given to has copied the record when the call returns.
 */
#ifndef WRING_CPP_ANSWER_HPP
#define WRING_CPP_ANSWER_HPP

#include <string>
#include <utility>
#include <vector>

#include "wring/cpp/error.hpp"
#include "wring/cpp/request.hpp"
#include "wring/exchange.h"

WRING_CPP_BEGIN

/** A result that may be left alone, other than a `result`: a whole answer or an accept that fails
 *  has answered nothing, so that the client of an exchange without a ref gets a 500. */
class answered : public result {
  public:
    constexpr answered(wring_result code) noexcept : result(code) {}
};

namespace detail {

/** Header fields that own their text. */
class fields {
  public:
    void add(std::string name, std::string value) {
        list.emplace_back(std::move(name), std::move(value));
    }
    [[nodiscard]] std::vector<wring_header> views() const {
        std::vector<wring_header> made;
        made.reserve(list.size());
        for (const auto &[name, value] : list) {
            made.push_back({bytes_view(name), bytes_view(value)});
        }
        return made;
    }

  private:
    std::vector<std::pair<std::string, std::string>> list;
};

} // namespace detail

/** A wring_answer that owns its strings. */
class answer {
  public:
    /** @param status  200 to 599 */
    explicit answer(int status = 200) noexcept { this->status(status); }

    answer &status(int code) noexcept {
        constexpr int illegal = 1; /* refused by what the answer is given to */
        c.status = static_cast<std::uint16_t>(code >= 200 && code <= 599 ? code : illegal);
        return *this;
    }
    /** Default "text/plain; charset=utf-8" when there is a body. */
    answer &content_type(std::string type) {
        type_ = std::move(type);
        has_type = true;
        return *this;
    }
    /** One more header. Those that frame the answer, such as Content-Length, are the library's. */
    answer &header(std::string name, std::string value) {
        fields_.add(std::move(name), std::move(value));
        return *this;
    }
    /** The whole body, or of exchange::answer_begin its first piece. */
    answer &body(std::string text) {
        body_ = std::move(text);
        c.body = wring_bytes{nullptr, 0};
        return *this;
    }
    /** Bytes that outlive the answer. */
    answer &body_borrowed(bytes_view bytes) noexcept {
        body_.clear();
        c.body = bytes;
        return *this;
    }
    /** Of exchange::answer_begin: the length of the whole body. Default: not known, and the answer
     *  is chunked. */
    answer &body_bytes(std::uint64_t count) noexcept {
        c.body_bytes = count;
        return *this;
    }
    /** No further exchange on this connection. */
    answer &ends_connection() noexcept {
        c.ends_connection = true;
        return *this;
    }

    /** Calls `use(const wring_answer &)`; the record is good until it returns. */
    template <class Use> auto with_raw(Use &&use) const {
        const std::vector<wring_header> list = fields_.views();
        wring_answer made = c;
        made.content_type = has_type ? type_.c_str() : nullptr;
        made.headers = {list.data(), list.size()};
        made.body = body_.empty() ? bytes_view(c.body) : bytes_view(body_);
        return use(static_cast<const wring_answer &>(made));
    }

  private:
    wring_answer c = record<wring_answer>();
    std::string type_;
    std::string body_;
    detail::fields fields_;
    bool has_type = false;
};

/** A wring_accept that owns its strings and its data. Moves. */
class acceptance {
  public:
    /** One that the client offered. Default: the first offered one of the route's list. */
    acceptance &subprotocol(std::string name) {
        subprotocol_ = std::move(name);
        return *this;
    }
    /** One more header of the 101, such as Set-Cookie. */
    acceptance &header(std::string name, std::string value) {
        fields_.add(std::move(name), std::move(value));
        return *this;
    }
    /** For the session: request::accept_data and request::take_accept_data in its constructor and
     *  on_open. Destroyed exactly once, also when no session comes of it. */
    template <class T> acceptance &data(std::unique_ptr<T> object) {
        held = object == nullptr ? nullptr
                                 : std::make_unique<detail::held_object<T>>(std::move(object));
        return *this;
    }
    /** The same with a value, which is moved. */
    template <class T> acceptance &data(T value) {
        return data(std::make_unique<T>(std::move(value)));
    }

    /** Calls `use(const wring_accept &)`; when that is OK the library has the data. */
    template <class Use> wring_result give(Use &&use) {
        const std::vector<wring_header> list = fields_.views();
        auto made = record<wring_accept>();
        made.subprotocol = bytes_view(subprotocol_);
        made.headers = {list.data(), list.size()};
        made.data = held.get();
        made.lost = held == nullptr ? nullptr : &detail::held_lost;
        const wring_result given = use(static_cast<const wring_accept &>(made));
        if (given == WRING_OK) {
            (void)held.release();
        }
        return given;
    }

  private:
    std::string subprotocol_;
    detail::fields fields_;
    std::unique_ptr<detail::held> held;
};

WRING_CPP_END

#endif
