/* SPDX-License-Identifier: Apache-2.0
 *
 * A handler over a stream of the program's own, in its own event loop. The stream is an object of a
 * class of the program's:
 *
 *     class tcp_stream {
 *       public:
 *         wring::result send(wring::bytes_view bytes);   takes all of them, or fails
 *         wring::result activate();                      asks for one batch: embed::feed
 *         void close();                                  the session is over: the last call
 *         std::string peername();                        optional: "address:port"
 *     };
 *
 *     wring::embed_config config;
 *     config.handle<echo>();
 *     wring::embed embed(stream, std::move(config), wring::moment::now());
 *     embed.activate(wring::moment::now()).ignore();
 *     ... embed.feed(bytes, wring::moment::now()) ... until embed.is_over()
 *
 * Exceptions: those of the handler close the session with 1011 and are logged; one of the stream's
 * send or activate is logged and ends the session with WRING_ERR_TRANSPORT.
 * Needs libwring-proto only. Thread: any, one at a time.
 */
#ifndef WRING_CPP_EMBED_HPP
#define WRING_CPP_EMBED_HPP

#include <cstring>

#include "wring/cpp/bound_handler.hpp"
#include "wring/cpp/deflate.hpp"
#include "wring/cpp/time.hpp"
#include "wring/embed.h"

WRING_CPP_BEGIN

namespace detail {

/** What the callbacks of an embedded session use. */
struct embed_parts {
    site log;
    bound_handler handler;
    void *stream = nullptr;
    bool is_over = false;
};

template <class Stream, class = void> inline constexpr bool has_peername = false;
template <class Stream>
inline constexpr bool
    has_peername<Stream, std::void_t<decltype(std::declval<Stream &>().peername())>> = true;

/** A wring_transport whose streams are embed_parts. */
template <class Stream> class stream_transport {
  public:
    [[nodiscard]] static wring_transport make() noexcept {
        auto made = record<wring_transport>();
        made.name = "c++";
        made.send = &send;
        made.activate = &activate;
        made.close = &close;
        if constexpr (has_peername<Stream>) {
            made.peername = &peername;
        }
        return made;
    }

  private:
    static Stream &of(void *parts) noexcept {
        return *static_cast<Stream *>(static_cast<embed_parts *>(parts)->stream);
    }
    template <class Body>
    static wring_result run(void *parts, const char *callback, Body &&body) noexcept {
        return guarded(&static_cast<embed_parts *>(parts)->log, callback, nullptr,
                       std::forward<Body>(body), [](wring_result) { return WRING_ERR_TRANSPORT; });
    }

    static wring_result send(void *parts, wring_bytes bytes) noexcept {
        return run(parts, "send", [&] { return result(of(parts).send(bytes)).code(); });
    }
    static wring_result activate(void *parts) noexcept {
        return run(parts, "activate", [&] { return result(of(parts).activate()).code(); });
    }
    static void close(void *parts) noexcept {
        static_cast<embed_parts *>(parts)->is_over = true;
        (void)run(parts, "close", [&] {
            of(parts).close();
            return WRING_OK;
        });
    }
    static bool peername(void *parts, char *out, std::size_t cap) noexcept {
        return run(parts, "peername", [&] {
                   const std::string name = of(parts).peername();
                   const bool fits = !name.empty() && name.size() < cap;
                   if (fits) {
                       std::memcpy(out, name.c_str(), name.size() + 1);
                   }
                   return fits ? WRING_OK : WRING_ERR_TRANSPORT;
               }) == WRING_OK;
    }
};

} // namespace detail

/** What an embedded session is made from: every other field is in `raw`. */
class embed_config {
  public:
    explicit embed_config(wring_role role = WRING_ROLE_SERVER) noexcept { raw.role = role; }

    /** Every field. What functions set takes precedence over what stands here. */
    wring_embed_options raw = record<wring_embed_options>();

    /** @param opts  an lvalue is borrowed for the session's life; a temporary is moved in */
    template <class State, class... Opts> embed_config &handle(Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a session has one opts object");
        parts->handler.bind<State>(&parts->log, std::forward<Opts>(opts)...);
        return *this;
    }
    /** The session has no state. */
    embed_config &handle(callbacks calls) {
        return handle<detail::callbacks_state>(std::move(calls));
    }
    /** Limits and timeouts; they count from the first call on. */
    wring_session_config &session() {
        return session_ ? *session_ : session_.emplace(record<wring_session_config>());
    }
    /** Compression, as it was negotiated.  @param contexts  borrowed for the session's life */
    embed_config &deflate(deflate_contexts &contexts, const wring_deflate_params &params) {
        raw.deflate = contexts.raw();
        params_ = params;
        return *this;
    }
    /** Where exceptions are reported; the limit of records is one for each session. */
    embed_config &log(log_function write) {
        (void)detail::log_to(parts->log, WRING_LOG_ERROR, std::move(write));
        return *this;
    }

  private:
    friend class embed;

    [[nodiscard]] wring_embed_options finish(const wring_transport &transport) const noexcept {
        wring_embed_options made = raw;
        made.transport = &transport;
        made.stream = parts.get();
        if (parts->handler.record() != nullptr) {
            made.handler = parts->handler.record();
            made.opts = parts->handler.opts();
        }
        made.session = session_ ? &*session_ : raw.session;
        made.deflate_params = params_ ? &*params_ : raw.deflate_params;
        return made;
    }

    std::unique_ptr<detail::embed_parts> parts = std::make_unique<detail::embed_parts>();
    std::optional<wring_session_config> session_;
    std::optional<wring_deflate_params> params_;
};

/** Owns a wring_embed. Moves. Must not be moved or destroyed within a callback of its handler or
 *  stream, `close` included. */
class embed {
  public:
    /** Makes a session of an upgraded stream and calls the handler's constructor.
     *  @param stream  borrowed until its close() was called
     *  Errors: WRING_ERR_INVALID_ARGUMENT, WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY: nothing
     * was called. WRING_ERR_CLOSED: the session ended at once, and close() was called */
    template <class Stream>
    [[nodiscard]] static outcome<embed> create(Stream &stream, embed_config config, moment now) {
        const wring_transport transport = detail::stream_transport<Stream>::make();
        config.parts->stream = std::addressof(stream);
        const wring_embed_options options = config.finish(transport);
        wring_error why{};
        wring_embed *made = nullptr;
        const wring_result result = wring_embed_accept(&options, now.count(), &made, &why);
        if (result == WRING_ERR_CLOSED) {
            (void)wring_error_set(&why, result, 0, "the session ended when it was opened");
        }
        if (result != WRING_OK) {
            return why;
        }
        return embed(made, std::move(config.parts), now);
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    template <class Stream>
    embed(Stream &stream, embed_config config, moment now)
        : embed(create(stream, std::move(config), now).value()) {}
#endif

    /** The hand-over is done: the session asks for its first bytes.
     *  Errors, here and below: WRING_ERR_CLOSED when the session is over; WRING_ERR_INVALID_STATE
     *  from within a callback */
    result activate(moment now) noexcept {
        return call(now, [&] { return wring_embed_activate(c, at.count()); });
    }
    /** Bytes came: they are unmasked in place, the handler is called, what it sent goes out. */
    result feed(mut_bytes_view bytes, moment now) noexcept {
        return call(now, [&] { return wring_embed_feed(c, bytes, at.count()); });
    }
    /** The deadline passed. */
    result expire(moment now) noexcept {
        return call(now, [&] { return wring_embed_expire(c, at.count()); });
    }
    /** Sends what was queued outside a callback. */
    result flush(moment now) noexcept {
        return call(now, [&] { return wring_embed_flush(c, at.count()); });
    }
    /** The stream ended (WRING_ERR_TRUNCATED) or broke: ends the session. */
    void fail(wring_result reason, moment now) noexcept {
        at = now;
        if (!is_over()) {
            wring_embed_fail(c, reason, now.count());
        }
    }

    /** Is the session gone? Its stream's close() was called then. */
    [[nodiscard]] bool is_over() const noexcept {
        return parts == nullptr || parts->is_over;
    }
    /** When expire() has to be called, in monotonic ns; UINT64_MAX for never. */
    [[nodiscard]] std::uint64_t deadline() const noexcept {
        return is_over() ? UINT64_MAX : wring_embed_deadline_ns(c);
    }
    /** For sending outside callbacks, followed by flush().  @pre !is_over() */
    [[nodiscard]] wring::session session() const noexcept {
        return wring::session(wring_embed_session(c));
    }

    embed(embed &&) noexcept = default;
    embed &operator=(embed &&other) noexcept {
        const embed old(std::move(*this));
        c = other.c;
        parts = std::move(other.parts);
        at = other.at;
        return *this;
    }
    /** Ends the session, if it is not over, as if its stream had ended. */
    ~embed() {
        fail(WRING_ERR_TRUNCATED, at);
    }

  private:
    embed(wring_embed *made, std::unique_ptr<detail::embed_parts> owned, moment now) noexcept
        : c(made), parts(std::move(owned)), at(now) {}

    template <class Call> result call(moment now, Call &&told) noexcept {
        at = now;
        return is_over() ? WRING_ERR_CLOSED : told();
    }

    wring_embed *c; /* freed by the library when the session is over */
    std::unique_ptr<detail::embed_parts> parts;
    moment at; /* the last time that was told */
};

WRING_CPP_END

#endif
