/* SPDX-License-Identifier: Apache-2.0
 *
 * A session, as its handler sees it: one WebSocket from its upgrade to its end. The class is a
 * pointer that owns nothing. It is good within callbacks; a thread that wants to reach the session
 * later keeps its ref().
 *
 * Thread: the session's own worker, from a callback. Cost: that of the C function, no more.
 */
#ifndef WRING_CPP_SESSION_HPP
#define WRING_CPP_SESSION_HPP

#include <new>

#include "wring/cpp/log.hpp"
#include "wring/cpp/ref.hpp"
#include "wring/session.h"

WRING_CPP_BEGIN

class server_view;
class client_view;

namespace detail {

/** What the C API calls the `opts` of the handlers of the C++ layer: one for all those of a route.
 *  */
struct binding {
    site *log = nullptr;
    void *opts = nullptr; /* the application's, of sessions */
    void *http_opts = nullptr;
    void *upgrade_opts = nullptr;
    bool hook_is_cpp = false; /* then accept_data of sessions' requests is a detail::held */
};

/** The state of a session, as it lies behind wring_session_user: zeroed before init. */
template <class State> struct box {
    const void *type; /* &type_mark<State> while there is a State */
    alignas(State) unsigned char bytes[sizeof(State)];

    State &get() noexcept { return *std::launder(reinterpret_cast<State *>(bytes)); }
};

} // namespace detail

/** A wring_session. */
class session {
  public:
    explicit session(wring_session *given) noexcept : c(given) {}

    /* ---- sending: errors as wring_session_send ---- */

    /** Queues one frame. The payload is copied, or sent before the callback returns. */
    result send(const frame &one) const noexcept { return wring_session_send(c, &one); }
    /** Queues frames in order; stops at the first that fails. */
    result send(frames_view frames) const noexcept {
        return wring_session_send_list(c, frames.data(), frames.size());
    }
    /** A message in pieces, whose length is not known yet: each goes out at once as a fragment. */
    result message_begin(wring_opcode kind, bytes_view piece = {}) const noexcept {
        return wring_session_message_begin(c, kind, piece);
    }
    result message_continue(bytes_view piece) const noexcept {
        return wring_session_message_continue(c, piece);
    }
    result message_end(bytes_view piece = {}) const noexcept {
        return wring_session_message_end(c, piece);
    }
    /** Begins the close handshake. A second close does nothing. To end without waiting for the
     *  peer's close frame, return verdict::stop. */
    void close(std::uint16_t code = WRING_CLOSE_NORMAL,
               std::string_view reason = {}) const noexcept {
        wring_session_close(c, code, bytes_view(reason));
    }

    /* ---- receiving ---- */

    /** Stops reading from the peer, so that TCP slows the peer down. */
    void pause() const noexcept { wring_session_pause(c); }
    /** Reads again: from on_info, on_drained or a posted function. */
    void resume() const noexcept { wring_session_resume(c); }

    /* ---- topics: sessions of servers only ---- */

    /** The subscription ends with the session.
     *  @param topic  1 to WRING_TOPIC_MAX bytes   Errors: as wring_session_subscribe */
    result subscribe(std::string_view topic) const noexcept {
        return wring_session_subscribe(c, bytes_view(topic));
    }
    void unsubscribe(std::string_view topic) const noexcept {
        wring_session_unsubscribe(c, bytes_view(topic));
    }
    /** Sends to every subscriber except this session; server().publish() sends to all. */
    result publish(std::string_view topic, const frame &one) const noexcept {
        return wring_session_publish(c, bytes_view(topic), &one);
    }

    /* ---- what belongs to it ---- */

    /** For other threads, and for later. */
    [[nodiscard]] wring::ref ref() const noexcept { return wring_session_ref(c); }
    /** The state of its handler.  @pre the handler is handler<State>, and the state is built:
     *  within its constructor, use `this` */
    template <class State> [[nodiscard]] State &state() const noexcept {
        assert(try_state<State>() != nullptr);
        return static_cast<detail::box<State> *>(wring_session_user(c))->get();
    }
    /** The same, or nullptr if the state is of another type or not there. For sessions of C++
     *  handlers only. Types of other shared objects may count as other types. */
    template <class State> [[nodiscard]] State *try_state() const noexcept {
        auto *box = static_cast<detail::box<State> *>(wring_session_user(c));
        const bool fits = box != nullptr && box->type == &detail::type_mark<State>;
        return fits ? &box->get() : nullptr;
    }
    /** The opts of its route or client.  @pre they are an Opts */
    template <class Opts> [[nodiscard]] Opts &opts() const noexcept {
        return *static_cast<Opts *>(static_cast<detail::binding *>(wring_session_opts(c))->opts);
    }
    /** Its server.  @pre a server accepted it   Needs wring/cpp/server_view.hpp */
    [[nodiscard]] server_view server() const noexcept;
    /** Its client.  @pre a client opened it   Needs wring/cpp/client_view.hpp */
    [[nodiscard]] client_view client() const noexcept;
    /** The worker it lives on; WRING_LOOP_NONE for an embedder's session. */
    [[nodiscard]] wring_loop loop() const noexcept { return wring_session_loop(c); }
    /** Bytes queued to the peer that the kernel has not taken. */
    [[nodiscard]] std::uint64_t queued_bytes() const noexcept {
        return wring_session_queued_bytes(c);
    }
    /** Writes a record to the log of its server, client or pool; does nothing where there is none.
     *  @param event  a stable name, such as "login_failed" */
    void log(wring_log_level level, c_string event, c_string sentence) const noexcept {
        wring_session_log(c, level, event, sentence);
    }
    [[nodiscard]] wring_session *raw() const noexcept { return c; }

  private:
    wring_session *c;
};

WRING_CPP_END

#endif
