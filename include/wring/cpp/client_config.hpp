/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of a client.
 *
 *     wring::client_config config;
 *     config.raw.reconnect_min_ms = 100;           every field of wring_client_config is in `raw`
 *     config.handle<feed>(prices);                 without it: the blocking style
 *     config.header("Authorization", token).on_status(
 *         [](wring::client_view client, const wring_client_report &report) { ... });
 *
 * What is set through functions is owned here, and then by the client. Pointers put into `raw` by
 * hand are copied when the client is made, except handler opts and opts of callbacks.
 *
 * Callbacks run on the client's worker, one at a time. Exceptions that leave them are logged; each
 * says below what comes then. The functions, and opts that were moved in, are destroyed when the
 * client is destroyed and is closed as well: possibly on its worker, so that they must not own the
 * pool or server it lives on. What they refer to has to outlive that pool or server: wait_closed()
 * may return while the last report is still being given.
 *
 * Thread: one at a time, before the client is made.
 */
#ifndef WRING_CPP_CLIENT_CONFIG_HPP
#define WRING_CPP_CLIENT_CONFIG_HPP

#include <atomic>

#include "wring/cpp/bound_handler.hpp"
#include "wring/cpp/client_view.hpp"
#include "wring/cpp/policy.hpp"

WRING_CPP_BEGIN

/** Each change of the status.  If it throws: the client goes on. */
using status_function = function<void(client_view, const wring_client_report &)>;
/** Before each attempt: may change URL and headers. Returns WRING_OK, WRING_MORE
 * (client_view::renew will answer), or the error that ends the attempt.  If it throws: the attempt
 * ends with the code of a wring::error, and with WRING_ERR_INTERNAL for other exceptions. */
using renew_function = function<result(client_view, const wring_client_renewal &, renewal &)>;
/** Is there another attempt after this end? May change the delay.  If it throws: as
 *  wring_client_report_is_retryable says. */
using retry_function =
    function<bool(client_view, const wring_client_report &, std::uint32_t &delay_ms)>;
/** Sees the handshake: `sent` is the request, else the bytes are an answer's, raw. */
using handshake_function = function<void(client_view, bool sent, bytes_view)>;

namespace detail {

/** What a client's callbacks use. Owned by the wring::client until it is destroyed, and by the
 *  wring_client until it is closed: the report of WRING_CLIENT_CLOSED is its last callback. */
struct client_parts {
    std::atomic<int> owners{1};
    site log;
    bound_handler handler;
    status_function status;
    renew_function renew;
    retry_function retry;
    handshake_function handshake;
    renewal renewed; /* what the library copies after the callback */
    void (*c_status)(wring_client *, const wring_client_report *, void *) = nullptr;
    void *c_status_opts = nullptr;

    static void release(client_parts *parts) noexcept {
        if (parts != nullptr && parts->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete parts;
        }
    }

    static void on_status(wring_client *raw, const wring_client_report *report,
                          void *opts) noexcept {
        auto *self = static_cast<client_parts *>(opts);
        const bool is_last = report->status == WRING_CLIENT_CLOSED;
        guarded(&self->log, "on_status", nullptr, [&] {
            if (self->status) {
                self->status(client_view(raw), *report);
            } else if (self->c_status != nullptr) {
                self->c_status(raw, report, self->c_status_opts);
            }
        });
        if (is_last) {
            release(self);
        }
    }
    static wring_result on_renew(wring_client *raw, wring_client_renewal *out,
                                 void *opts) noexcept {
        auto *self = static_cast<client_parts *>(opts);
        const auto ask = [&] {
            self->renewed = renewal();
            const result answer = self->renew(client_view(raw), *out, self->renewed);
            self->renewed.put(*out);
            return answer.code();
        };
        return guarded(&self->log, "renew", nullptr, ask, [](wring_result why) { return why; });
    }
    static bool on_retry(wring_client *raw, const wring_client_report *report,
                         std::uint32_t *delay_ms, void *opts) noexcept {
        auto *self = static_cast<client_parts *>(opts);
        return guarded(
            &self->log, "retry", nullptr,
            [&] { return self->retry(client_view(raw), *report, *delay_ms); },
            [&](wring_result) { return wring_client_report_is_retryable(report); });
    }
    static void on_handshake(wring_client *raw, bool sent, wring_bytes bytes, void *opts) noexcept {
        auto *self = static_cast<client_parts *>(opts);
        guarded(&self->log, "on_handshake", nullptr,
                [&] { self->handshake(client_view(raw), sent, bytes); });
    }
};

struct client_parts_release {
    void operator()(client_parts *parts) const noexcept { client_parts::release(parts); }
};
using client_parts_owner = std::unique_ptr<client_parts, client_parts_release>;

} // namespace detail

/** Settings, a handler and callbacks of a client. Moves; one is for one client. */
class client_config {
  public:
    /** Every field. What functions set takes precedence over what stands here. */
    wring_client_config raw = record<wring_client_config>();

    /* ---- what receives: one of these, or none for the blocking style ---- */

    /** Each session has a State (wring/cpp/handler.hpp): a new one after each reconnect.
     *  @param opts  an lvalue is borrowed, and has to outlive the pool; a temporary is moved in */
    template <class State, class... Opts> client_config &handle(Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a client has one opts object");
        parts->handler.bind<State>(&parts->log, std::forward<Opts>(opts)...);
        return *this;
    }
    /** Sessions have no state. */
    client_config &handle(callbacks calls) {
        return handle<detail::callbacks_state>(std::move(calls));
    }

    /* ---- the upgrade ---- */

    /** Offered, in order of preference. */
    client_config &subprotocols(std::initializer_list<std::string_view> names) {
        subprotocols_.assign(names);
        raw.subprotocols = names.size() == 0 ? nullptr : subprotocols_.data();
        raw.subprotocol_count = subprotocols_.size();
        return *this;
    }
    /** One more header of the request. */
    client_config &header(std::string_view name, std::string_view value) {
        headers_.push_back({wring_str(strings.keep(name)), wring_str(strings.keep(value))});
        raw.headers = {headers_.data(), headers_.size()};
        return *this;
    }
    /** The value of Origin. */
    client_config &origin(std::string_view text) {
        raw.origin = strings.keep(text);
        return *this;
    }
    /** "http://user:password@host:port" or "socks5://..." */
    client_config &proxy(std::string_view url) {
        raw.proxy = strings.keep(url);
        return *this;
    }
    /** A numeric address to connect from. */
    client_config &source(std::string_view address) {
        raw.source = strings.keep(address);
        return *this;
    }
    /** For wss://; without it every default is taken. */
    tls_client_config &tls() { return tls_ ? *tls_ : tls_.emplace(); }

    /* ---- limits and compression: from the first call on ---- */

    wring_session_config &session() {
        return session_ ? *session_ : session_.emplace(record<wring_session_config>());
    }
    wring_deflate_config &deflate() {
        return deflate_ ? *deflate_ : deflate_.emplace(record<wring_deflate_config>());
    }
    /** From the first call on clients of one origin share connections of HTTP/2. */
    wring_http2_config &http2() {
        return http2_ ? *http2_ : http2_.emplace(record<wring_http2_config>());
    }

    /* ---- callbacks ---- */

    /** See status_function. */
    client_config &on_status(status_function call) {
        parts->status = std::move(call);
        return *this;
    }
    /** See renew_function. */
    client_config &renew(renew_function call) {
        parts->renew = std::move(call);
        raw.renew = &detail::client_parts::on_renew;
        raw.renew_opts = parts.get();
        return *this;
    }
    /** See retry_function. */
    client_config &retry(retry_function call) {
        parts->retry = std::move(call);
        raw.retry = &detail::client_parts::on_retry;
        raw.retry_opts = parts.get();
        return *this;
    }
    /** See handshake_function. */
    client_config &on_handshake(handshake_function call) {
        parts->handshake = std::move(call);
        raw.on_handshake = &detail::client_parts::on_handshake;
        raw.on_handshake_opts = parts.get();
        return *this;
    }
    /** In place of the log of the pool or server it lives on. */
    client_config &log(wring_log_level level, log_function write) {
        raw.log = detail::log_to(parts->log, level, std::move(write));
        return *this;
    }

  private:
    friend class client;

    /** The C record, pointing into the configuration; needed while the client is made. */
    [[nodiscard]] wring_client_config finish() {
        detail::adopt_log(parts->log, raw.log);
        parts->c_status = raw.on_status;
        parts->c_status_opts = raw.on_status_opts;
        wring_client_config made = raw;
        made.on_status = &detail::client_parts::on_status;
        made.on_status_opts = parts.get();
        if (parts->handler.record() != nullptr) {
            made.handler = parts->handler.record();
            made.handler_opts = parts->handler.opts();
        }
        made.tls = tls_ ? &tls_->raw : raw.tls;
        made.session = session_ ? &*session_ : raw.session;
        made.deflate = deflate_ ? &*deflate_ : raw.deflate;
        made.http2 = http2_ ? &*http2_ : raw.http2;
        return made;
    }

    detail::client_parts_owner parts{new detail::client_parts()};
    detail::strings strings;
    detail::string_list subprotocols_;
    std::vector<wring_header> headers_;
    std::optional<tls_client_config> tls_;
    std::optional<wring_session_config> session_;
    std::optional<wring_deflate_config> deflate_;
    std::optional<wring_http2_config> http2_;
};

WRING_CPP_END

#endif
