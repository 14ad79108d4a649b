/* SPDX-License-Identifier: Apache-2.0
 *
 * Where exceptions go that leave a callback of the application. None of them crosses a function of
 * the C library: it is caught, becomes a log record of the level WRING_LOG_ERROR with the event
 * "callback_exception", and what was asked for fails in its own way: a session is closed with 1011.
 *
 * The record is given to the log function of the server, client or pool; where there is none, and
 * for exceptions of log functions themselves, to the exception hook, which by default writes one
 * line to the standard error. A peer may be able to cause exceptions, so that there is a limit:
 * records beyond 10 in 10 seconds are left out, and the next one tells how many.
 */
#ifndef WRING_CPP_LOG_HPP
#define WRING_CPP_LOG_HPP

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "wring/cpp/bytes.hpp"
#include "wring/cpp/error.hpp"
#include "wring/cpp/function.hpp"
#include "wring/log.h"

WRING_CPP_BEGIN

/** Writes log records. Is called on any worker, several at a time; must not block, nor call the
 *  server, client or pool it is for. */
using log_function = function<void(const wring_log_record &)>;

/** "error: callback_exception: text (name=value, ...)" */
[[nodiscard]] inline std::string to_string(const wring_log_record &log) {
    /* As wring_log_level_name, which programs of libwring-proto do not have. */
    constexpr const char *levels[] = {"", "error", "warning", "notice", "info", "debug"};
    const bool known = log.level >= WRING_LOG_ERROR && log.level <= WRING_LOG_DEBUG;
    std::string line = known ? levels[log.level] : "";
    line.append(": ").append(log.event).append(": ").append(log.text);
    const char *before = " (";
    for (std::size_t i = 0; i < log.field_count; i++) {
        line.append(before).append(log.fields[i].name).append("=").append(log.fields[i].value);
        before = ", ";
    }
    return log.field_count > 0 ? line + ")" : line;
}

/** What becomes of exceptions where no log function is set. */
using exception_hook = void (*)(const wring_log_record &) noexcept;

namespace detail {

inline void write_to_stderr(const wring_log_record &log) noexcept {
    (void)std::fprintf(stderr, "wring: %s", log.text);
    for (std::size_t i = 0; i < log.field_count; i++) {
        (void)std::fprintf(stderr, "%s%s=%s", i == 0 ? ": " : ", ", log.fields[i].name,
                           log.fields[i].value);
    }
    (void)std::fputc('\n', stderr);
}

inline std::atomic<exception_hook> &hook() noexcept {
    static std::atomic<exception_hook> current{&write_to_stderr};
    return current;
}

} // namespace detail

/** Takes the place of the default hook for the whole process; nullptr brings the default one back.
 *  It is called on any thread, several at a time.
 *  @return the one that was set before   Thread: any */
inline exception_hook set_exception_hook(exception_hook wanted) noexcept {
    return detail::hook().exchange(wanted == nullptr ? &detail::write_to_stderr : wanted);
}

namespace detail {

/** At most `burst` in a while. */
class limiter {
  public:
    /** @param left_out  how many were refused since the last one that was admitted */
    bool admit(std::uint64_t &left_out) noexcept {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        const auto now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
        std::int64_t since = begun.load(std::memory_order_relaxed);
        if (now_ns - since >= interval_ns && begun.compare_exchange_strong(since, now_ns)) {
            count.store(0);
        }
        if (count.fetch_add(1) >= burst) {
            refused.fetch_add(1);
            return false;
        }
        left_out = refused.exchange(0);
        return true;
    }

  private:
    static constexpr std::int64_t interval_ns = 10'000'000'000;
    static constexpr std::uint64_t burst = 10;
    std::atomic<std::int64_t> begun{-interval_ns};
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> refused{0};
};

/** What belongs to one server, client or pool: its log. Does not move. */
struct site {
    void (*write)(const wring_log_record *, void *) = nullptr; /* nullptr: the hook */
    void *write_opts = nullptr;
    log_function own;
    wring_log_config config = record<wring_log_config>();
    limiter limit;
};

/** Gives a record of an exception to the log. Never throws: a log function of the C++ layer
 *  catches what it throws itself (write_own). */
inline void report(site *at, const char *callback, const char *handler, const char *what) noexcept {
    static site nowhere; /* the hook's limit is one for the process */
    site &to = at == nullptr || at->write == nullptr ? nowhere : *at;
    std::uint64_t left_out = 0;
    if (!to.limit.admit(left_out)) {
        return;
    }
    const wring_log_field fields[] = {
        {"callback", callback}, {"handler", handler == nullptr ? "" : handler}, {"what", what}};
    auto log = record<wring_log_record>();
    log.level = WRING_LOG_ERROR;
    log.event = "callback_exception";
    log.text = "an exception left a callback of the application";
    log.fields = fields;
    log.field_count = sizeof fields / sizeof fields[0];
    log.repeats = left_out;
    if (to.write == nullptr) {
        hook().load()(log);
    } else {
        to.write(&log, to.write_opts);
    }
}

#if WRING_CPP_EXCEPTIONS
/** From within a catch: reports the exception, and says what code it stands for. */
inline wring_result report_caught(site *at, const char *callback, const char *handler) noexcept {
    char text[256] = "no std::exception";
    wring_result code = WRING_ERR_INTERNAL;
    try {
        throw;
    } catch (const error &caught) {
        code = caught.code();
        (void)wring_text_printable(wring_str(caught.what()), text, sizeof text);
    } catch (const std::exception &caught) {
        (void)wring_text_printable(wring_str(caught.what()), text, sizeof text);
    } catch (...) {
    }
    report(at, callback, handler, text);
    return code == WRING_OK || code == WRING_MORE ? WRING_ERR_INTERNAL : code;
}
#endif

/** Runs `body`; if that throws, reports it and returns what `failed` makes of the code. */
template <class Body, class Failed>
auto guarded(site *at, const char *callback, const char *handler, Body &&body,
             Failed &&failed) noexcept -> decltype(body()) {
#if WRING_CPP_EXCEPTIONS
    try {
        return body();
    } catch (...) {
        return failed(report_caught(at, callback, handler));
    }
#else
    (void)at, (void)callback, (void)handler, (void)failed;
    return body();
#endif
}

/** The same for what returns nothing. */
template <class Body>
void guarded(site *at, const char *callback, const char *handler, Body &&body) noexcept {
    guarded(at, callback, handler, std::forward<Body>(body), [](wring_result) {});
}

inline void write_own(const wring_log_record *log, void *opts) noexcept {
    guarded(nullptr, "log", nullptr, [&] { static_cast<site *>(opts)->own(*log); });
}

/** Sets the C++ log function of a site. */
inline const wring_log_config *log_to(site &at, wring_log_level level, log_function write) {
    at.own = std::move(write);
    at.write = &write_own;
    at.write_opts = &at;
    at.config.level = level;
    at.config.write = &write_own;
    at.config.opts = &at;
    return &at.config;
}

/** A log that was set in the C record itself is told of exceptions as well. */
inline void adopt_log(site &at, const wring_log_config *given) noexcept {
    if (given != nullptr && given != &at.config) {
        at.write = given->write;
        at.write_opts = given->opts;
    }
}

} // namespace detail

WRING_CPP_END

#endif
