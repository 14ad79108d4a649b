/* SPDX-License-Identifier: Apache-2.0
 *
 * An exchange, as its handler sees it: one HTTP request and its answer. The class is a pointer that
 * owns nothing. It is good within callbacks, until on_done has returned; whoever answers later
 * keeps its ref().
 *
 *     config.get("/slow", [&pool](wring::exchange &exchange) {
 *         pool.run([ref = exchange.ref()] { ref.answer("done\n").ignore(); });
 *     });
 *
 * Thread: the exchange's own worker, from a callback. Those of exchange_ref are for any thread.
 * Cost: that of the C function, and a list for the headers of an answer.
 */
#ifndef WRING_CPP_EXCHANGE_HPP
#define WRING_CPP_EXCHANGE_HPP

#include "wring/cpp/answer.hpp"
#include "wring/cpp/server_view.hpp"

WRING_CPP_BEGIN

class exchange;

namespace detail {

/** The tag of functions posted to exchanges: "wring" in ASCII, and a number. */
inline constexpr std::uint64_t exchange_tag = UINT64_C(0x7772696e67000002);

/** A function on its way to an exchange. */
struct exchange_job {
    virtual ~exchange_job() = default;
    virtual void run(exchange &) = 0;
};

template <class F> struct exchange_function final : exchange_job {
    explicit exchange_function(F &&callable) : held(std::move(callable)) {}
    explicit exchange_function(const F &callable) : held(callable) {}
    void run(exchange &on) override { call_as<void>(held, on); }
    F held;
};

inline void exchange_job_lost(const wring_info *info) {
    delete static_cast<exchange_job *>(info->data);
}

/** What the state of an exchange begins with, as it lies behind wring_exchange_user: zeroed before
 *  the request. */
struct exchange_head {
    const void *type; /* &type_mark<State> while there is a State */
    site *log;
    void *opts; /* the application's */
};

template <class State> struct exchange_box {
    exchange_head head;
    alignas(State) unsigned char bytes[sizeof(State)];

    State &get() noexcept { return *std::launder(reinterpret_cast<State *>(bytes)); }
};

/** An answer of the common kind, without a list of headers. */
inline wring_answer plain_answer(int status, bytes_view body, const char *content_type) noexcept {
    auto made = record<wring_answer>();
    made.status = static_cast<std::uint16_t>(status >= 200 && status <= 599 ? status : 1);
    made.body = body;
    made.content_type = content_type;
    return made;
}

} // namespace detail

/** The name of an exchange for other threads. A ref is a number: it is copied freely, may outlive
 *  the exchange, and never names another one, also not the next one of the same connection. What
 *  comes too late is dropped.
 *  Errors, of every call: WRING_ERR_CLOSED (the worker is gone, or it is no ref),
 *  WRING_ERR_QUEUE_FULL (nothing was done, try again), WRING_ERR_NO_MEMORY; of answers, and of
 *  accept, WRING_ERR_INVALID_ARGUMENT and WRING_ERR_INVALID_HEADER as well.   Thread: any */
class exchange_ref {
  public:
    constexpr exchange_ref() noexcept = default;
    constexpr explicit exchange_ref(wring_ref given) noexcept : number(given) {}

    /** Is it an exchange's at all? Not: is the exchange still open. */
    constexpr explicit operator bool() const noexcept { return number != WRING_REF_NONE; }
    [[nodiscard]] constexpr wring_ref raw() const noexcept { return number; }

    /** Answers, whole. Copied. */
    result answer(const wring::answer &given) const {
        return given.with_raw(
            [&](const wring_answer &made) { return wring_ref_answer(number, &made); });
    }
    /** Answers with 200. */
    result answer(bytes_view body) const noexcept { return answer(200, body); }
    /** @param content_type  nullptr: "text/plain; charset=utf-8" when there is a body */
    result answer(int status, bytes_view body = {},
                  c_string content_type = nullptr) const noexcept {
        const wring_answer made = detail::plain_answer(status, body, content_type);
        return wring_ref_answer(number, &made);
    }
    /** Accepts an upgrade. On success `given` has no data any more, else it stays there. */
    result accept(acceptance &given) const {
        return given.give(
            [&](const wring_accept &made) { return wring_ref_accept(number, &made); });
    }
    result accept(acceptance &&given = {}) const { return accept(given); }
    /** Ends the exchange and its connection, as exchange::abort does. */
    result stop() const noexcept { return wring_ref_stop(number); }

    /** Runs `callable(exchange &)` on the exchange's worker, if the exchange is still there. If it
     *  throws, the exchange is aborted.
     *  Own:    taken, also on failure. It is destroyed once, whether it was run or not: on the
     *          worker, or when that is being stopped on the thread that stops it
     *  Only for exchanges of handlers of the C++ layer. Throws what copying or moving `callable`
     *  throws */
    template <class F> result post(F &&callable) const {
        using Posted = detail::exchange_function<std::decay_t<F>>;
        static_assert(std::is_invocable_v<std::decay_t<F> &, exchange &>,
                      "post() needs a callable that takes a wring::exchange &");
        std::unique_ptr<detail::exchange_job> job(new (std::nothrow)
                                                      Posted(std::forward<F>(callable)));
        if (job == nullptr) {
            return WRING_ERR_NO_MEMORY;
        }
        const wring_info info = {detail::exchange_tag, job.get()};
        const result sent = wring_ref_post(number, &info, &detail::exchange_job_lost);
        if (sent.ok()) {
            (void)job.release();
        }
        return sent;
    }

    friend constexpr bool operator==(exchange_ref a, exchange_ref b) noexcept {
        return a.number == b.number;
    }
    friend constexpr bool operator!=(exchange_ref a, exchange_ref b) noexcept { return !(a == b); }
    friend constexpr bool operator<(exchange_ref a, exchange_ref b) noexcept {
        return a.number < b.number;
    }

  private:
    wring_ref number = WRING_REF_NONE;
};

/** A wring_exchange. */
class exchange {
  public:
    explicit exchange(wring_exchange *given) noexcept : c(given) {}

    [[nodiscard]] wring::request request() const noexcept {
        return wring::request(*wring_exchange_request(c));
    }

    /* ---- answering: errors as wring_exchange_answer ---- */

    /** Answers, whole. Copied. */
    answered answer(const wring::answer &given) const {
        return given.with_raw(
            [&](const wring_answer &made) { return wring_exchange_answer(c, &made); });
    }
    /** Answers with 200. */
    answered answer(bytes_view body) const noexcept { return answer(200, body); }
    /** @param content_type  nullptr: "text/plain; charset=utf-8" when there is a body */
    answered answer(int status, bytes_view body = {},
                    c_string content_type = nullptr) const noexcept {
        const wring_answer made = detail::plain_answer(status, body, content_type);
        return wring_exchange_answer(c, &made);
    }
    /** An answer in pieces: chunked, or with answer::body_bytes of known length. One without a body
     *  (to HEAD, or with status 204, 205 or 304) has ended with this call. */
    result answer_begin(const wring::answer &given = wring::answer()) const {
        return given.with_raw(
            [&](const wring_answer &made) { return wring_exchange_answer_begin(c, &made); });
    }
    /** WRING_ERR_QUEUE_FULL: nothing was taken, on_drained tells when to go on. WRING_ERR_CLOSED:
     *  nobody reads on, since the client is gone or the answer has no body. */
    result answer_write(bytes_view piece) const noexcept {
        return wring_exchange_answer_write(c, piece);
    }
    result answer_end() const noexcept { return wring_exchange_answer_end(c); }
    /** Ends the exchange and its connection at once: a begun answer is left incomplete, so that the
     *  client sees that it failed. on_done follows. Where none was begun, a status tells more. */
    void abort() const noexcept { wring_exchange_abort(c); }

    /** Accepts an upgrade: in handlers of route::upgrade. The session begins when the callback has
     *  returned. On success `given` has no data any more, else it stays there.
     *  Errors: as wring_exchange_accept */
    answered accept(acceptance &given) const {
        return given.give(
            [&](const wring_accept &made) { return wring_exchange_accept(c, &made); });
    }
    answered accept(acceptance &&given = {}) const { return accept(given); }

    /* ---- receiving ---- */

    /** Takes no more of the body, so that TCP slows the client down: for handlers with on_body. */
    void pause() const noexcept { wring_exchange_pause(c); }
    /** Takes the body again: from on_info, on_drained or a posted function. */
    void resume() const noexcept { wring_exchange_resume(c); }

    /* ---- what belongs to it ---- */

    /** For other threads, and for later: an exchange with a ref may be answered when the callback
     *  has returned. Empty when there is none (result below).   Errors: as wring_exchange_ref */
    [[nodiscard]] exchange_ref ref() const noexcept {
        exchange_ref made;
        ref(made).ignore();
        return made;
    }
    result ref(exchange_ref &out) const noexcept {
        wring_ref made = WRING_REF_NONE;
        const wring_result code = wring_exchange_ref(c, &made);
        out = exchange_ref(made);
        return code;
    }
    /** The state of its handler.  @pre the handler is http_handler<State>, and the state is built:
     *  within its constructor, use `this` */
    template <class State> [[nodiscard]] State &state() const noexcept {
        assert(try_state<State>() != nullptr);
        return static_cast<detail::exchange_box<State> *>(wring_exchange_user(c))->get();
    }
    /** The same, or nullptr if the state is of another type or not there. For exchanges of C++
     *  handlers only. Types of other shared objects may count as other types. */
    template <class State> [[nodiscard]] State *try_state() const noexcept {
        auto *box = static_cast<detail::exchange_box<State> *>(wring_exchange_user(c));
        const bool fits = box != nullptr && box->head.type == &detail::type_mark<State>;
        return fits ? &box->get() : nullptr;
    }
    /** The opts of its handler, a C++ one.  @pre they are an Opts */
    template <class Opts> [[nodiscard]] Opts &opts() const noexcept {
        return *static_cast<Opts *>(
            static_cast<detail::exchange_head *>(wring_exchange_user(c))->opts);
    }
    [[nodiscard]] server_view server() const noexcept {
        return server_view(wring_exchange_server(c));
    }
    /** The worker it lives on. */
    [[nodiscard]] wring_loop loop() const noexcept { return wring_exchange_loop(c); }
    /** The number of its worker within its server, from 0. */
    [[nodiscard]] std::uint32_t worker() const noexcept { return wring_exchange_worker(c); }
    /** Bytes queued to the client that the kernel has not taken. */
    [[nodiscard]] std::uint64_t queued_bytes() const noexcept {
        return wring_exchange_queued_bytes(c);
    }
    [[nodiscard]] wring_exchange *raw() const noexcept { return c; }

  private:
    wring_exchange *c;
};

WRING_CPP_END

template <> struct std::hash<wring::exchange_ref> {
    std::size_t operator()(wring::exchange_ref of) const noexcept {
        return std::hash<wring_ref>()(of.raw());
    }
};

#endif
