/* SPDX-License-Identifier: Apache-2.0
 *
 * What calls come to. Calls of the data path return a `result` and never throw. Calls that begin or
 * change something large (a server, a client, its policy) come in two forms: one throws `error`,
 * the other one returns a result or an `outcome`. Without exceptions (-fno-exceptions) only the
 * second form exists.
 *
 * Thread: any.
 */
#ifndef WRING_CPP_ERROR_HPP
#define WRING_CPP_ERROR_HPP

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "wring/cpp/base.hpp"
#include "wring/handler.h"
#include "wring/result.h"

WRING_CPP_BEGIN

/** What a callback wants next; a callback that returns nothing proceeds. */
enum class verdict {
    proceed = WRING_CONTINUE, /**< go on; what was sent goes out */
    stop = WRING_STOP         /**< end the session: what was sent goes out, then a close frame
                                   (1000, or what the callback closed with) */
};

/** What went wrong, as an exception and as a value. what() is a sentence that names the setting,
 *  the file or the address that is meant. */
class error : public std::runtime_error {
  public:
    explicit error(const wring_error &why)
        : std::runtime_error(why.text), number(why.code), system_number(why.system_errno) {}
    explicit error(wring_result why) : std::runtime_error(wring_result_text(why)), number(why) {}
    error(wring_result why, const std::string &text) : std::runtime_error(text), number(why) {}

    [[nodiscard]] wring_result code() const noexcept { return number; }
    /** "ERR_ADDRESS" */
    [[nodiscard]] const char *name() const noexcept { return wring_result_name(number); }
    /** The same as what(). */
    [[nodiscard]] const char *text() const noexcept { return what(); }
    /** The errno behind it; 0: none. */
    [[nodiscard]] int system_errno() const noexcept { return system_number; }

  private:
    wring_result number;
    int system_number = 0;
};

/** A wring_result that must be looked at.
 *
 *      if (!session.send(text("hello"))) { ... }
 *      session.send(text("hello")).throw_if_error();   the session is closed with 1011 then
 *      return session.send(text("hello")).or_stop();   as a callback's verdict
 */
class [[nodiscard]] result {
  public:
    constexpr result() noexcept = default;
    constexpr result(wring_result code) noexcept : number(code) {}

    [[nodiscard]] constexpr bool ok() const noexcept { return number == WRING_OK; }
    constexpr explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] constexpr wring_result code() const noexcept { return number; }
    /** "ERR_CLOSED" for WRING_ERR_CLOSED. */
    [[nodiscard]] const char *name() const noexcept { return wring_result_name(number); }
    /** One sentence for people. */
    [[nodiscard]] const char *text() const noexcept { return wring_result_text(number); }
    /** Whose fault it is. */
    [[nodiscard]] wring_class fault() const noexcept { return wring_result_class(number); }

    [[nodiscard]] constexpr verdict or_stop() const noexcept {
        return ok() ? verdict::proceed : verdict::stop;
    }
    /** For what may fail without harm: says that the result was not forgotten. */
    constexpr void ignore() const noexcept {}
#if WRING_CPP_EXCEPTIONS
    void throw_if_error() const {
        if (!ok()) {
            throw error(number);
        }
    }
#endif

    friend constexpr bool operator==(result a, result b) noexcept {
        return a.number == b.number;
    }
    friend constexpr bool operator!=(result a, result b) noexcept {
        return a.number != b.number;
    }

  private:
    wring_result number = WRING_OK;
};

/** A T, or why there is none. */
template <class T> class [[nodiscard]] outcome {
  public:
    /** It was made. */
    outcome(T made) : value_(std::move(made)) {}
    /** It was not. */
    outcome(const wring_error &why) : error_(why) {}

    [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    /** Only if it is ok(). */
    T &operator*() noexcept { return *value_; }
    T *operator->() noexcept { return &*value_; }
    /** Only if it is not ok(). */
    [[nodiscard]] const wring::error &error() const noexcept { return *error_; }
#if WRING_CPP_EXCEPTIONS
    /** Moves it out, or throws the error. */
    T value() && {
        if (!ok()) {
            throw *error_;
        }
        return std::move(*value_);
    }
#endif

  private:
    std::optional<T> value_;
    std::optional<wring::error> error_;
};

namespace detail {
#if WRING_CPP_EXCEPTIONS
inline void check(wring_result code, const wring_error &why) {
    if (code != WRING_OK) {
        throw error(why);
    }
}
#endif
} // namespace detail

WRING_CPP_END

#endif
