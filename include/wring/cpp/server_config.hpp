/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of a server.
 *
 *     wring::server_config config(8080);
 *     config.raw.workers = 4;                      every field of wring_server_config is in `raw`
 *     config.route<chat>("/chat", shared_rooms);
 *     config.get("/healthz", [](wring::exchange &exchange) { exchange.answer("well\n"); });
 *     config.policy().session().idle_timeout_ms = 60'000;
 *     config.log(WRING_LOG_NOTICE, [](const wring_log_record &record) { ... });
 *
 * What is set through functions is owned here and moves into the server, which keeps it as long as
 * its sessions last. Pointers put into `raw` by hand are borrowed for the server's life, and give
 * way to what was set through functions.
 *
 * Thread: one at a time, before the server is made.
 */
#ifndef WRING_CPP_SERVER_CONFIG_HPP
#define WRING_CPP_SERVER_CONFIG_HPP

#include "wring/cpp/bound_handler.hpp"
#include "wring/cpp/http_handler.hpp"
#include "wring/cpp/server_view.hpp"

WRING_CPP_BEGIN

namespace detail {

/** One of a route's handlers of exchanges. */
class bound_http {
  public:
    template <class State, http_role role> void *bind() {
        handler_ = http_handler<State, void, role>::make();
        return nullptr;
    }
    /** @return the opts' address, for the binding */
    template <class State, http_role role, class Opts> void *bind(Opts &&opts) {
        handler_ = http_handler<State, std::remove_reference_t<Opts>, role>::make();
        return opts_.keep(std::forward<Opts>(opts));
    }
    [[nodiscard]] const wring_http_handler *record() const noexcept {
        return handler_.struct_size == 0 ? nullptr : &handler_;
    }

  private:
    wring_http_handler handler_{};
    kept_opts opts_;
};

} // namespace detail

/** What a path leads to: sessions, exchanges, or both. Made by server_config::route, and by the
 *  short forms get, post and http. */
class route {
  public:
    /** Every field. What functions set takes precedence over what stands here. */
    wring_route raw = record<wring_route>();

    /* ---- exchanges ---- */

    /** Exchanges with a State each (wring/cpp/http_handler.hpp).
     *  @param opts  for the constructor of State and exchange::opts. An lvalue is borrowed until
     *  the
     *               server is gone; a temporary is moved into the configuration */
    template <class State, class... Opts> route &http(Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a handler has one opts object");
        handler_.bound(log_).http_opts =
            http_.bind<State, detail::http_role::plain>(std::forward<Opts>(opts)...);
        return *this;
    }
    /** Exchanges without a state. */
    route &http(http_function call) { return http<detail::function_state>(std::move(call)); }
    /** Of exchanges, such as "GET, POST"; default "GET". HEAD comes with GET; "*": all of them. */
    route &methods(std::string_view list) {
        raw.methods = strings.keep(list);
        return *this;
    }
    /** Of a request's body; a longer one gets 413. Default: the server's. */
    route &body_max(std::uint64_t bytes) noexcept {
        raw.body_bytes_max = bytes;
        return *this;
    }

    /* ---- upgrades to sessions ---- */

    /** Decides over upgrades, before anything is answered: exchange::accept, an answer, or a ref
     *  and one of both later. Default: all that are legal are accepted. */
    template <class State, class... Opts> route &upgrade(Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a handler has one opts object");
        detail::binding &bound = handler_.bound(log_);
        bound.upgrade_opts =
            upgrade_.bind<State, detail::http_role::upgrade>(std::forward<Opts>(opts)...);
        bound.hook_is_cpp = true;
        return *this;
    }
    /** The same without a state. */
    route &upgrade(http_function call) { return upgrade<detail::function_state>(std::move(call)); }
    /** Allowed besides the request's own host: "https://example.com", or "*" for any. */
    route &origins(std::initializer_list<std::string_view> names) {
        origins_.assign(names);
        raw.origins = names.size() == 0 ? nullptr : origins_.data();
        raw.origin_count = origins_.size();
        return *this;
    }
    /** One of them must be offered; the first offered wins. */
    route &subprotocols(std::initializer_list<std::string_view> names) {
        subprotocols_.assign(names);
        raw.subprotocols = names.size() == 0 ? nullptr : subprotocols_.data();
        raw.subprotocol_count = subprotocols_.size();
        return *this;
    }

    /* ---- both ---- */

    /** What is different here from the server's policy. */
    wring::policy &policy() { return policy_ ? *policy_ : policy_.emplace(); }

  private:
    friend class server_config;

    detail::site *log_ = nullptr;
    detail::strings strings;
    detail::bound_handler handler_; /* its binding is that of all three */
    detail::bound_http http_;
    detail::bound_http upgrade_;
    detail::string_list subprotocols_;
    detail::string_list origins_;
    std::optional<wring::policy> policy_;
};

/** Settings, routes and functions of a server. Moves; one is for one server. */
class server_config {
  public:
    /** @param port  0: picked by the system, see server_view::port */
    explicit server_config(std::uint16_t port = 0) { raw.port = port; }

    /** Every field. What functions set takes precedence over what stands here. */
    wring_server_config raw = record<wring_server_config>();

    /** A numeric address; default "127.0.0.1". */
    server_config &host(std::string_view address) {
        raw.host = strings.keep(address);
        return *this;
    }

    /* ---- what is served ---- */

    /** A path, for exchanges or with a handler in its `raw`. Paths are tried in order.
     *  @param path  exact; `{name}` stands for one segment; a '*' at its end matches any rest */
    wring::route &route(std::string_view path) { return add(path); }
    /** A path whose sessions have a State each (wring/cpp/handler.hpp).
     *  @param opts  for the constructor of State and session::opts. An lvalue is borrowed until the
     *               server is gone; a temporary is moved into the configuration */
    template <class State, class... Opts>
    wring::route &route(std::string_view path, Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a route has one opts object");
        wring::route &made = add(path);
        made.handler_.bind<State>(log_.get(), std::forward<Opts>(opts)...);
        return made;
    }
    /** A path whose sessions have no state. */
    wring::route &route(std::string_view path, callbacks calls) {
        return route<detail::callbacks_state>(path, std::move(calls));
    }
    /** All paths that no route matches. */
    template <class State, class... Opts> server_config &serve(Opts &&...opts) {
        static_assert(sizeof...(Opts) <= 1, "a server has one opts object");
        rest.bind<State>(log_.get(), std::forward<Opts>(opts)...);
        return *this;
    }
    /** The same without a state. */
    server_config &serve(callbacks calls) {
        return serve<detail::callbacks_state>(std::move(calls));
    }
    /** Of `serve`: one of them must be offered; the first offered wins. */
    server_config &subprotocols(std::initializer_list<std::string_view> names) {
        subprotocols_.assign(names);
        raw.subprotocols = names.size() == 0 ? nullptr : subprotocols_.data();
        raw.subprotocol_count = subprotocols_.size();
        return *this;
    }
    /** A path and methods, such as "PUT, DELETE", whose exchanges a function answers. */
    wring::route &http(std::string_view methods, std::string_view path, http_function call) {
        return add(path).methods(methods).http(std::move(call));
    }
    /** The same with a State for each exchange (wring/cpp/http_handler.hpp). */
    template <class State, class... Opts>
    wring::route &http(std::string_view methods, std::string_view path, Opts &&...opts) {
        return add(path).methods(methods).template http<State>(std::forward<Opts>(opts)...);
    }
    /** Answers GET and HEAD. */
    wring::route &get(std::string_view path, http_function call) {
        return http("GET", path, std::move(call));
    }
    /** Answers POST. */
    wring::route &post(std::string_view path, http_function call) {
        return http("POST", path, std::move(call));
    }

    /* ---- how ---- */

    /** Whose X-Forwarded-Host is the request's host for the Origin rule: addresses, networks
     *  ("10.0.0.0/8"), "unix". */
    server_config &trusted_proxies(std::initializer_list<std::string_view> addresses) {
        proxies_.assign(addresses);
        raw.trusted_proxies = addresses.size() == 0 ? nullptr : proxies_.data();
        raw.trusted_proxy_count = proxies_.size();
        return *this;
    }
    /** Of all sessions; routes may have their own. */
    wring::policy &policy() { return policy_ ? *policy_ : policy_.emplace(); }
    /** One more rule; the first that matches a topic counts.  @return its record, to be filled in
     */
    wring_topic_rule &topic_rule(std::string_view name) { return rules.emplace_back(name).raw; }
    /** wss:// instead of ws://. */
    tls_server_config &tls(std::string_view cert_file, std::string_view key_file) {
        return tls_.emplace(cert_file, key_file);
    }
    /** HTTP/2 beside HTTP/1.x.  @return its record, to be filled in */
    wring_http2_config &http2() {
        return http2_ ? *http2_ : http2_.emplace(record<wring_http2_config>());
    }
    /** @param level  the least important level that is wanted */
    server_config &log(wring_log_level level, log_function write) {
        raw.log = detail::log_to(*log_, level, std::move(write));
        return *this;
    }

  private:
    friend class server;
    /** The C records, pointing into the configuration; needed while the server is made. */
    struct records {
        wring_server_config config;
        wring_policy policy;
        std::vector<wring_route> routes;
        std::vector<wring_policy> route_policies;
        std::vector<wring_topic_rule> rules;
    };

    wring::route &add(std::string_view path) {
        wring::route &made = routes.emplace_back();
        made.raw.path = strings.keep(path);
        made.log_ = log_.get();
        return made;
    }
    static wring_route route_record(const wring::route &of, wring_policy &room) {
        wring_route made = of.raw;
        if (of.handler_.opts() != nullptr) {
            made.opts = of.handler_.opts();
        }
        if (of.handler_.record() != nullptr) {
            made.handler = of.handler_.record();
        }
        if (of.http_.record() != nullptr) {
            made.http = of.http_.record();
        }
        if (of.upgrade_.record() != nullptr) {
            made.upgrade = of.upgrade_.record();
        }
        if (of.policy_) {
            room = of.policy_->get();
            made.policy = &room;
        }
        return made;
    }
    void routes_put(records &out) const {
        out.route_policies.resize(routes.size());
        for (const wring::route &of : routes) {
            out.routes.push_back(route_record(of, out.route_policies[out.routes.size()]));
        }
        if (!routes.empty()) {
            out.config.routes = out.routes.data();
            out.config.route_count = out.routes.size();
        }
        if (rest.record() != nullptr) {
            out.config.handler = rest.record();
            out.config.handler_opts = rest.opts();
        }
    }
    void finish(records &out) {
        detail::adopt_log(*log_, raw.log);
        out.config = raw;
        routes_put(out);
        if (policy_) {
            out.policy = policy_->get();
            out.config.policy = &out.policy;
        }
        for (const wring::topic_rule &rule : rules) {
            out.rules.push_back(rule.get());
        }
        if (!rules.empty()) {
            out.config.topic_rules = out.rules.data();
            out.config.topic_rule_count = out.rules.size();
        }
        out.config.tls = tls_ ? &tls_->raw : raw.tls;
        out.config.http2 = http2_ ? &*http2_ : raw.http2;
    }

    std::unique_ptr<detail::site> log_ = std::make_unique<detail::site>();
    detail::strings strings;
    std::list<wring::route> routes; /* references to them are given out */
    detail::bound_handler rest;
    detail::string_list subprotocols_;
    detail::string_list proxies_;
    std::optional<wring::policy> policy_;
    std::list<wring::topic_rule> rules; /* references to their records are given out */
    std::optional<tls_server_config> tls_;
    std::optional<wring_http2_config> http2_;
};

WRING_CPP_END

#endif
