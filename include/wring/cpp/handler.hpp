/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side of a session, in one of two forms.
 *
 * A class of which each session has an object of its own, its state:
 *
 *     class echo {
 *       public:
 *         echo(wring::session, const wring::request &, options &);     or fewer of these, or none
 *         void on_open(wring::session, const wring::request &);
 *         void on_message(wring::session session, const wring::message &message);
 *         void on_info(wring::session, const wring_info &);
 *         void on_drained(wring::session);
 *         void on_close(wring::session, const wring_end &);
 *     };
 *
 * All of them are optional; one of the right name that cannot be called with these arguments is an
 * error of the compiler. They return nothing or a verdict (on_close: nothing). The object is built
 * in place right after the upgrade, in memory that the session has anyway, and is destroyed exactly
 * once, after on_close; when its constructor throws, neither of the two happens.
 *
 * Or `callbacks`: functions without a state, for small programs.
 *
 * Exceptions: one that leaves a callback is logged (wring/cpp/log.hpp) and closes its session with
 * 1011; on_close is called then. One that leaves on_close or the destructor is logged.
 * Thread: the session's own worker, one callback of a session at a time. Objects of several
 * sessions, and one set of `callbacks`, are called on several workers at once.
 */
#ifndef WRING_CPP_HANDLER_HPP
#define WRING_CPP_HANDLER_HPP

#include <memory>

#include "wring/cpp/request.hpp"
#include "wring/cpp/session.hpp"
#include "wring/handler.h"

WRING_CPP_BEGIN

namespace detail {

/* has_NAME<State>: has it a member of this name, whatever its type? The question is whether the
 * name is ambiguous in a class that inherits it twice if so. takes_NAME<State, Args...>: can that
 * member be called with these? */
#define WRING_CPP_HAS(name)                                                                        \
    struct with_##name {                                                                           \
        int name;                                                                                  \
    };                                                                                             \
    template <class State> struct mixed_##name : State, with_##name {};                            \
    template <class State, class = void> inline constexpr bool has_##name = true;                  \
    template <class State>                                                                         \
    inline constexpr bool has_##name<State, std::void_t<decltype(&mixed_##name<State>::name)>> =   \
        false;                                                                                     \
    template <class State, class... Args>                                                          \
    auto try_##name(int)->decltype(std::declval<State &>().name(std::declval<Args>()...),          \
                                   std::true_type());                                              \
    template <class State, class... Args> std::false_type try_##name(...);                         \
    template <class State, class... Args>                                                          \
    inline constexpr bool takes_##name =                                                           \
        !has_##name<State> || decltype(try_##name<State, Args...>(0))::value;
WRING_CPP_HAS(on_open)
WRING_CPP_HAS(on_message)
WRING_CPP_HAS(on_info)
WRING_CPP_HAS(on_drained)
WRING_CPP_HAS(on_close)
WRING_CPP_HAS(on_request) /* these are of http_handler */
WRING_CPP_HAS(on_body)
WRING_CPP_HAS(on_done)
#undef WRING_CPP_HAS

template <class State, class = void> inline constexpr const char *name_of = "c++";
/** A `static constexpr const char *handler_name` of the class is its name in logs. */
template <class State>
inline constexpr const char *name_of<
    State,
    std::enable_if_t<std::is_convertible_v<decltype(&State::handler_name), const char *const *>>> =
    State::handler_name;

template <class Call> wring_verdict verdict_of(Call &&call) {
    using Returned = decltype(call());
    if constexpr (std::is_void_v<Returned>) {
        call();
        return WRING_CONTINUE;
    } else {
        static_assert(std::is_same_v<Returned, verdict>,
                      "a callback returns nothing or a wring::verdict (see result::or_stop)");
        return static_cast<wring_verdict>(call());
    }
}

inline binding *binding_of(wring_session *session) noexcept {
    return static_cast<binding *>(wring_session_opts(session));
}

/** Runs a callback of a session. */
template <class Body>
wring_verdict guarded_verdict(wring_session *session, site *log, const char *callback,
                              const char *name, Body &&body) noexcept {
    return guarded(
        log, callback, name, [&] { return verdict_of(body); },
        [&](wring_result) {
            wring_session_close(session, WRING_CLOSE_INTERNAL_ERROR, wring_str("internal error"));
            return WRING_STOP;
        });
}

inline bool is_posted(const wring_info &info) noexcept {
    return info.tag == posted_tag;
}

inline verdict run_posted(session on, const wring_info &info) {
    const std::unique_ptr<posted> job(static_cast<posted *>(info.data));
    return job->run(on);
}

/** An Opts of void stands for none. */
template <class Opts> using opts_ref = std::add_lvalue_reference_t<Opts>;

template <class State, class Opts>
void build([[maybe_unused]] void *place, [[maybe_unused]] session on,
           [[maybe_unused]] const request &by) {
    if constexpr (!std::is_void_v<Opts>) {
        if constexpr (std::is_constructible_v<State, session, const request &, Opts &>) {
            new (place) State(on, by, on.opts<Opts>());
            return;
        }
    }
    if constexpr (std::is_void_v<Opts> ||
                  !std::is_constructible_v<State, session, const request &, opts_ref<Opts>>) {
        if constexpr (std::is_constructible_v<State, session, const request &>) {
            new (place) State(on, by);
        } else if constexpr (std::is_constructible_v<State, session>) {
            new (place) State(on);
        } else {
            static_assert(std::is_default_constructible_v<State>,
                          "a state is made from (session, const request &, opts &), from "
                          "(session, const request &), from (session), or from nothing");
            new (place) State();
        }
    }
}

} // namespace detail

/** Makes a wring_handler of a class. Servers, clients and embedders use it by themselves; the
 *  session's opts have to be a detail::binding.
 *  @tparam Opts  what the route's opts are; void: none */
template <class State, class Opts = void> class handler {
    static_assert(std::is_class_v<State> && !std::is_final_v<State>,
                  "a state is an object of a class that is not final");

  public:
    /** The record; it borrows nothing. */
    [[nodiscard]] static wring_handler make() noexcept {
        static_assert(alignof(detail::box<State>) <= 16, "a state is aligned to 16 at most");
        static_assert(sizeof(detail::box<State>) <= 16u << 20, "a state has 16 MiB at most");
        check_signatures();
        auto made = record<wring_handler>();
        made.name = detail::name_of<State>;
        made.state_size = sizeof(detail::box<State>);
        made.init = &init;
        made.handle_info = &handle_info;
        made.terminate = &terminate;
        if constexpr (detail::has_on_message<State>) {
            made.handle_in = &handle_in;
        }
        if constexpr (detail::has_on_drained<State>) {
            made.drained = &drained;
        }
        return made;
    }

  private:
    static constexpr void check_signatures() noexcept {
        static_assert(detail::takes_on_open<State, session &, const request &>,
                      "on_open is called with (wring::session, const wring::request &)");
        static_assert(detail::takes_on_message<State, session &, const message &>,
                      "on_message is called with (wring::session, const wring::message &)");
        static_assert(detail::takes_on_info<State, session &, const wring_info &>,
                      "on_info is called with (wring::session, const wring_info &)");
        static_assert(detail::takes_on_drained<State, session &>,
                      "on_drained is called with (wring::session)");
        static_assert(detail::takes_on_close<State, session &, const wring_end &>,
                      "on_close is called with (wring::session, const wring_end &)");
    }

    static detail::box<State> *box_of(wring_session *raw) noexcept {
        return static_cast<detail::box<State> *>(wring_session_user(raw));
    }
    template <class Body>
    static wring_verdict run(wring_session *raw, const char *callback, Body &&body) noexcept {
        return detail::guarded_verdict(raw, detail::binding_of(raw)->log, callback,
                                       detail::name_of<State>, std::forward<Body>(body));
    }

    static wring_verdict init(wring_session *raw, const wring_request *by, void *) noexcept {
        session on(raw);
        const std::unique_ptr<detail::held> data(detail::binding_of(raw)->hook_is_cpp
                                                     ? static_cast<detail::held *>(by->accept_data)
                                                     : nullptr);
        const request asked(*by, data.get());
        detail::box<State> *box = box_of(raw);
        const wring_verdict built = run(raw, "constructor", [&] {
            detail::build<State, Opts>(box->bytes, on, asked);
            box->type = &detail::type_mark<State>;
        });
        if constexpr (detail::has_on_open<State>) {
            if (built == WRING_CONTINUE) {
                return run(raw, "on_open", [&] { return box->get().on_open(on, asked); });
            }
        }
        return built;
    }

    static wring_verdict handle_in(wring_session *raw, const wring_message *got) noexcept {
        session on(raw);
        const message in(*got);
        return run(raw, "on_message", [&] { return box_of(raw)->get().on_message(on, in); });
    }

    static wring_verdict handle_info(wring_session *raw, const wring_info *info) noexcept {
        session on(raw);
        if (detail::is_posted(*info)) {
            return run(raw, "post", [&] { return detail::run_posted(on, *info); });
        }
        if constexpr (detail::has_on_info<State>) {
            return run(raw, "on_info", [&] { return box_of(raw)->get().on_info(on, *info); });
        }
        return WRING_CONTINUE;
    }

    static wring_verdict drained(wring_session *raw) noexcept {
        session on(raw);
        return run(raw, "on_drained", [&] { return box_of(raw)->get().on_drained(on); });
    }

    static void terminate(wring_session *raw, const wring_end *end) noexcept {
        detail::box<State> *box = box_of(raw);
        if (box->type == nullptr) {
            return; /* it was never built */
        }
        detail::site *log = detail::binding_of(raw)->log;
        if constexpr (detail::has_on_close<State>) {
            session on(raw);
            detail::guarded(log, "on_close", detail::name_of<State>,
                            [&] { (void)box->get().on_close(on, *end); });
        }
        box->type = nullptr;
        detail::guarded(log, "destructor", detail::name_of<State>, [&] { box->get().~State(); });
        (void)end;
    }
};

/** Functions instead of a class. Each is optional, may be move-only, and is kept as long as what it
 *  is given to. Its calls come from all workers, several at a time. In C++20:
 *
 *     config.serve(wring::callbacks{.on_message = [](wring::session session,
 *                                                    const wring::message &message) { ... }});
 */
struct callbacks {
    function<verdict(session, const request &)> on_open = nullptr;
    function<verdict(session, const message &)> on_message = nullptr;
    function<verdict(session, const wring_info &)> on_info = nullptr;
    function<verdict(session)> on_drained = nullptr;
    function<void(session, const wring_end &)> on_close = nullptr;
};

namespace detail {

/** The state of sessions that have only callbacks: a pointer to them. */
class callbacks_state {
  public:
    static constexpr const char *handler_name = "callbacks";

    callbacks_state(session, const request &, callbacks &calls) noexcept : to(&calls) {}
    verdict on_open(session on, const request &by) {
        return to->on_open ? to->on_open(on, by) : verdict::proceed;
    }
    verdict on_message(session on, const message &got) {
        return to->on_message ? to->on_message(on, got) : verdict::proceed;
    }
    verdict on_info(session on, const wring_info &got) {
        return to->on_info ? to->on_info(on, got) : verdict::proceed;
    }
    verdict on_drained(session on) {
        return to->on_drained ? to->on_drained(on) : verdict::proceed;
    }
    void on_close(session on, const wring_end &end) {
        if (to->on_close) {
            to->on_close(on, end);
        }
    }

  private:
    callbacks *to;
};

} // namespace detail

WRING_CPP_END

#endif
