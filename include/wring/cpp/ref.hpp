/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a session for other threads. A ref is a number: it is copied freely, may outlive the
 * session, and never reaches another one. Work is handed to the session's worker; what one thread
 * sends to one session keeps its order.
 *
 * Errors, of every call: WRING_ERR_CLOSED (the worker is gone, or it is no ref),
 * WRING_ERR_QUEUE_FULL (nothing was done, try again), WRING_ERR_NO_MEMORY. Whether the session is
 * still there is only known on its worker: what comes too late is dropped. Thread: any. Cost: one
 * allocation a call, and no lock.
 */
#ifndef WRING_CPP_REF_HPP
#define WRING_CPP_REF_HPP

#include <functional>
#include <memory>
#include <new>

#include "wring/cpp/error.hpp"
#include "wring/cpp/frame.hpp"
#include "wring/cpp/function.hpp"
#include "wring/ref.h"
#include "wring/topic.h"

WRING_CPP_BEGIN

class session;

namespace detail {

/** The tag of posted functions, so that handle_info knows them: "wring" in ASCII, and a number. */
inline constexpr std::uint64_t posted_tag = UINT64_C(0x7772696e67000001);

/** A function on its way to a session. */
struct posted {
    virtual ~posted() = default;
    virtual verdict run(session &) = 0;
};

template <class F> struct posted_function final : posted {
    explicit posted_function(F &&callable) : held(std::move(callable)) {}
    explicit posted_function(const F &callable) : held(callable) {}
    verdict run(session &on) override { return call_as<verdict>(held, on); }
    F held;
};

inline void posted_lost(const wring_info *info) {
    delete static_cast<posted *>(info->data);
}

} // namespace detail

/** A wring_ref. */
class ref {
  public:
    constexpr ref() noexcept = default;
    constexpr ref(wring_ref given) noexcept : number(given) {}

    /** Is it a session's at all? Not: is the session still open. */
    constexpr explicit operator bool() const noexcept { return number != WRING_REF_NONE; }
    [[nodiscard]] constexpr wring_ref raw() const noexcept { return number; }

    /** Sends frames, in order and together: all of them or none. Copied. */
    result send(frames_view frames) const noexcept {
        return wring_ref_send(number, frames.data(), frames.size());
    }
    /** Begins the close handshake. */
    result close(std::uint16_t code = WRING_CLOSE_NORMAL,
                 std::string_view reason = {}) const noexcept {
        return wring_ref_close(number, code, bytes_view(reason));
    }
    /** Ends the session without waiting for the peer's close frame. */
    result stop() const noexcept { return wring_ref_stop(number); }

    /** Subscribes the session to a topic of its server. */
    result subscribe(std::string_view topic) const noexcept {
        return wring_ref_subscribe(number, bytes_view(topic));
    }
    result unsubscribe(std::string_view topic) const noexcept {
        return wring_ref_unsubscribe(number, bytes_view(topic));
    }

    /** Runs `callable(session &)` on the session's worker, if the session is still there. It may
     *  return a verdict; if it throws, the session is closed with 1011.
     *  Own:    taken, also on failure. It is destroyed once, whether it was run or not: on the
     *          worker, or when that is being stopped on the thread that stops it
     *  Only for sessions of handlers of the C++ layer, and of clients without a handler, where it
     *  is not run. Throws what copying or moving `callable` throws */
    template <class F> result post(F &&callable) const {
        using Posted = detail::posted_function<std::decay_t<F>>;
        static_assert(std::is_invocable_v<std::decay_t<F> &, session &>,
                      "post() needs a callable that takes a wring::session");
        std::unique_ptr<detail::posted> job(new (std::nothrow) Posted(std::forward<F>(callable)));
        if (job == nullptr) {
            return WRING_ERR_NO_MEMORY;
        }
        const wring_info info = {detail::posted_tag, job.get()};
        const result sent = wring_ref_post(number, &info, &detail::posted_lost);
        if (sent.ok()) {
            (void)job.release();
        }
        return sent;
    }

    /** Hands an info to the handler's on_info, as a C program would. `lost` is called instead when
     *  the session is gone; a C++ handler without on_info drops the info and calls nothing. */
    result post_info(const wring_info &info,
                     void (*lost)(const wring_info *) = nullptr) const noexcept {
        return wring_ref_post(number, &info, lost);
    }

    friend constexpr bool operator==(ref a, ref b) noexcept { return a.number == b.number; }
    friend constexpr bool operator!=(ref a, ref b) noexcept { return a.number != b.number; }
    friend constexpr bool operator<(ref a, ref b) noexcept { return a.number < b.number; }

  private:
    wring_ref number = WRING_REF_NONE;
};

WRING_CPP_END

template <> struct std::hash<wring::ref> {
    std::size_t operator()(wring::ref of) const noexcept {
        return std::hash<wring_ref>()(of.raw());
    }
};

#endif
