/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side of an exchange, in one of two forms.
 *
 * A class of which each exchange has an object of its own, its state:
 *
 *     class upload {
 *       public:
 *         upload(wring::exchange &, const wring::request &, options &);  or fewer of these, or none
 *         void on_request(wring::exchange &, const wring::request &);
 *         void on_body(wring::exchange &, wring::bytes_view piece, bool is_last);
 *         void on_info(wring::exchange &, const wring_info &);
 *         void on_drained(wring::exchange &);
 *         void on_done(wring::exchange &, const wring_exchange_end &);
 *     };
 *
 * All of them are optional; one of the right name that cannot be called with these arguments is an
 * error of the compiler. With on_body the request's body comes in pieces; without, it is collected,
 * and is request.body(). The object is built in place, in memory that the connection has anyway,
 * and is destroyed exactly once, after on_done; when its constructor throws, neither of the two
 * happens.
 *
 * Or a function without a state: http_function.
 *
 * The same classes and functions decide over upgrades (route::upgrade): they accept, or answer
 * something else.
 *
 * Exceptions: one that leaves the constructor or on_request is logged (wring/cpp/log.hpp), and the
 * client gets a 500; when an answer was begun by then, the exchange is aborted. One that leaves
 * another callback is logged, and the exchange is aborted. One that leaves on_done or the
 * destructor
 * is logged.
 * Thread: the exchange's own worker, one callback of an exchange at a time. Objects of several
 * exchanges, and one function, are called on several workers at once.
 */
#ifndef WRING_CPP_HTTP_HANDLER_HPP
#define WRING_CPP_HTTP_HANDLER_HPP

#include "wring/cpp/exchange.hpp"
#include "wring/cpp/handler.hpp"

WRING_CPP_BEGIN

/** Answers an exchange, or takes a ref. Is called on several workers at once. */
using http_function = function<void(exchange &)>;

namespace detail {

/** Which of a route's two handlers of exchanges. */
enum class http_role { plain, upgrade };

/** The callbacks of exchanges return nothing. */
template <class Call> void nothing_of(Call &&call) {
    static_assert(std::is_void_v<decltype(call())>, "a callback of an exchange returns nothing");
    call();
}

template <class State, class Opts>
void build_exchange([[maybe_unused]] void *place, [[maybe_unused]] exchange &on,
                    [[maybe_unused]] const request &by) {
    if constexpr (!std::is_void_v<Opts>) {
        if constexpr (std::is_constructible_v<State, exchange &, const request &, Opts &>) {
            new (place) State(on, by, on.opts<Opts>());
            return;
        }
    }
    if constexpr (std::is_void_v<Opts> ||
                  !std::is_constructible_v<State, exchange &, const request &, opts_ref<Opts>>) {
        if constexpr (std::is_constructible_v<State, exchange &, const request &>) {
            new (place) State(on, by);
        } else if constexpr (std::is_constructible_v<State, exchange &>) {
            new (place) State(on);
        } else {
            static_assert(
                std::is_default_constructible_v<State>,
                "the state of an exchange is made from (exchange &, const request &, opts "
                "&), from (exchange &, const request &), from (exchange &), or from "
                "nothing");
            new (place) State();
        }
    }
}

} // namespace detail

/** Makes a wring_http_handler of a class. Routes use it by themselves; the opts of the route have
 *  to
 *  be a detail::binding.
 *  @tparam Opts  what the handler's opts are; void: none */
template <class State, class Opts = void, detail::http_role role = detail::http_role::plain>
class http_handler {
    static_assert(std::is_class_v<State> && !std::is_final_v<State>,
                  "a state is an object of a class that is not final");

  public:
    /** The record; it borrows nothing. */
    [[nodiscard]] static wring_http_handler make() noexcept {
        static_assert(alignof(box) <= 16, "a state is aligned to 16 at most");
        static_assert(sizeof(box) <= 16u << 20, "a state has 16 MiB at most");
        check_signatures();
        auto made = record<wring_http_handler>();
        made.name = detail::name_of<State>;
        made.state_size = sizeof(box);
        made.request = &on_request;
        made.info = &on_info;
        made.done = &on_done;
        if constexpr (detail::has_on_body<State>) {
            made.body = &on_body;
        }
        if constexpr (detail::has_on_drained<State>) {
            made.drained = &on_drained;
        }
        return made;
    }

  private:
    using box = detail::exchange_box<State>;

    static constexpr void check_signatures() noexcept {
        static_assert(detail::takes_on_request<State, exchange &, const request &>,
                      "on_request is called with (wring::exchange &, const wring::request &)");
        static_assert(detail::takes_on_body<State, exchange &, bytes_view, bool>,
                      "on_body is called with (wring::exchange &, wring::bytes_view, bool)");
        static_assert(detail::takes_on_info<State, exchange &, const wring_info &>,
                      "on_info is called with (wring::exchange &, const wring_info &)");
        static_assert(detail::takes_on_drained<State, exchange &>,
                      "on_drained is called with (wring::exchange &)");
        static_assert(detail::takes_on_done<State, exchange &, const wring_exchange_end &>,
                      "on_done is called with (wring::exchange &, const wring_exchange_end &)");
    }

    static box *box_of(wring_exchange *raw) noexcept {
        return static_cast<box *>(wring_exchange_user(raw));
    }
    /** Runs a callback that the exchange does not survive if it throws.  Returns false then. */
    template <class Body, class Failed>
    static bool run(wring_exchange *raw, const char *callback, Body &&body,
                    Failed &&failed) noexcept {
        return detail::guarded(
            box_of(raw)->head.log, callback, detail::name_of<State>,
            [&] {
                detail::nothing_of(body);
                return true;
            },
            [&](wring_result) {
                failed();
                return false;
            });
    }
    template <class Body>
    static void run_or_abort(wring_exchange *raw, const char *callback, Body &&body) noexcept {
        (void)run(raw, callback, std::forward<Body>(body), [&] { wring_exchange_abort(raw); });
    }
    template <class Body>
    static bool run_or_500(wring_exchange *raw, const char *callback, Body &&body) noexcept {
        return run(raw, callback, std::forward<Body>(body), [&] {
            if (!exchange(raw).answer(500, "internal error\n").ok()) {
                wring_exchange_abort(raw); /* an answer was begun */
            }
        });
    }

    static void on_request(wring_exchange *raw, const wring_request *by, void *opts) noexcept {
        const auto *bound = static_cast<const detail::binding *>(opts);
        exchange on(raw);
        const request asked(*by);
        box *to = box_of(raw);
        to->head.log = bound->log;
        to->head.opts = role == detail::http_role::plain ? bound->http_opts : bound->upgrade_opts;
        const bool built = run_or_500(raw, "constructor", [&] {
            detail::build_exchange<State, Opts>(to->bytes, on, asked);
            to->head.type = &detail::type_mark<State>;
        });
        if constexpr (detail::has_on_request<State>) {
            if (built) {
                (void)run_or_500(raw, "on_request",
                                 [&] { return to->get().on_request(on, asked); });
            }
        }
        (void)built;
    }

    static void on_body(wring_exchange *raw, wring_bytes piece, bool is_last) noexcept {
        exchange on(raw);
        if (box_of(raw)->head.type != nullptr) {
            run_or_abort(raw, "on_body", [&] {
                return box_of(raw)->get().on_body(on, bytes_view(piece), is_last);
            });
        }
    }

    static void on_info(wring_exchange *raw, const wring_info *info) noexcept {
        exchange on(raw);
        if (info->tag == detail::exchange_tag) {
            const std::unique_ptr<detail::exchange_job> job(
                static_cast<detail::exchange_job *>(info->data));
            run_or_abort(raw, "post", [&] { job->run(on); });
            return;
        }
        if constexpr (detail::has_on_info<State>) {
            if (box_of(raw)->head.type != nullptr) {
                run_or_abort(raw, "on_info", [&] { return box_of(raw)->get().on_info(on, *info); });
            }
        }
    }

    static void on_drained(wring_exchange *raw) noexcept {
        exchange on(raw);
        if (box_of(raw)->head.type != nullptr) {
            run_or_abort(raw, "on_drained", [&] { return box_of(raw)->get().on_drained(on); });
        }
    }

    static void on_done(wring_exchange *raw, const wring_exchange_end *end) noexcept {
        box *of = box_of(raw);
        if (of->head.type == nullptr) {
            return; /* it was never built */
        }
        if constexpr (detail::has_on_done<State>) {
            exchange on(raw);
            (void)run(
                raw, "on_done", [&] { return of->get().on_done(on, *end); }, [] {});
        }
        of->head.type = nullptr;
        (void)run(
            raw, "destructor", [&] { of->get().~State(); }, [] {});
        (void)end;
    }
};

namespace detail {

/** The state of exchanges that have only a function. */
class function_state {
  public:
    static constexpr const char *handler_name = "function";

    function_state(exchange &, const request &, http_function &call) noexcept : to(&call) {}
    void on_request(exchange &on, const request &) {
        if (*to) {
            (*to)(on);
        }
    }

  private:
    http_function *to;
};

} // namespace detail

WRING_CPP_END

#endif
