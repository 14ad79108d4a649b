/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of a server.
 *
 *     wring::server_config config(8080);
 *     config.raw.workers = 4;                      every field of wring_server_config is in `raw`
 *     config.route<chat>("/chat", shared_rooms);
 *     config.respond("/healthz", [](const wring::request &, wring::response &response) {
 *         response.body("well\n");
 *     });
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
#include "wring/cpp/server_view.hpp"

WRING_CPP_BEGIN

/** A plain HTTP answer, to be filled in. */
class response {
  public:
    /** Default 200. */
    response &status(int code) noexcept {
        c->status = code;
        return *this;
    }
    /** Default "text/plain; charset=utf-8". */
    response &content_type(std::string type) {
        kept().type = std::move(type);
        c->content_type = kept().type.c_str();
        return *this;
    }
    /** The body, taken. */
    response &body(std::string text) {
        kept().body = std::move(text);
        c->body = bytes_view(kept().body);
        return *this;
    }
    /** A body that outlives the callback by itself. */
    response &body_borrowed(bytes_view bytes) noexcept {
        c->body = bytes;
        return *this;
    }
    [[nodiscard]] wring_http_response &raw() noexcept { return *c; }

    explicit response(wring_http_response &given) noexcept : c(&given) {}

  private:
    struct strings {
        std::string type;
        std::string body;
    };
    /* The library copies after the callback: until the next answer of this worker. */
    static strings &kept() {
        static thread_local strings of_this_worker;
        return of_this_worker;
    }

    wring_http_response *c;
};

/** Answers a GET without upgrade. Several workers call it at once. If it throws, the answer is a
 *  500 and the exception is logged. */
using respond_function = function<void(const request &, response &)>;

namespace detail {

/** What `opts` of a route that answers plain HTTP are. */
struct responder {
    site *log;
    respond_function call;

    static void respond(const wring_request *by, wring_http_response *out, void *opts) noexcept {
        auto *self = static_cast<responder *>(opts);
        const wring_http_response untouched = *out;
        const auto answer = [&] {
            response to(*out);
            self->call(request(*by), to);
            return true;
        };
        if (!guarded(self->log, "respond", nullptr, answer, [](wring_result) { return false; })) {
            *out = untouched;
            out->status = 500;
            out->body = wring_str("internal error\n");
        }
    }
};

} // namespace detail

/** What a path leads to. Made by server_config::route and server_config::respond. */
class route {
  public:
    /** Every field; path, handler, opts and respond are set already. */
    wring_route raw = record<wring_route>();

    /** One of them must be offered; the first offered wins. */
    route &subprotocols(std::initializer_list<std::string_view> names) {
        subprotocols_.assign(names);
        raw.subprotocols = subprotocols_.data();
        raw.subprotocol_count = subprotocols_.size();
        return *this;
    }
    /** What is different here from the server's policy. */
    wring::policy &policy() { return policy_ ? *policy_ : policy_.emplace(); }

  private:
    friend class server_config;

    detail::bound_handler handler_;
    std::unique_ptr<detail::responder> responder_;
    detail::string_list subprotocols_;
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

    /** A path whose sessions have a State each (wring/cpp/handler.hpp). Paths are tried in order.
     *  @param path  exact; a '*' at its end matches any rest
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
        raw.subprotocols = subprotocols_.data();
        raw.subprotocol_count = subprotocols_.size();
        return *this;
    }
    /** A path that answers plain HTTP. */
    wring::route &respond(std::string_view path, respond_function call) {
        wring::route &made = add(path);
        made.responder_ =
            std::make_unique<detail::responder>(detail::responder{log_.get(), std::move(call)});
        made.raw.respond = &detail::responder::respond;
        return made;
    }

    /* ---- how ---- */

    /** Of all sessions; routes may have their own. */
    wring::policy &policy() { return policy_ ? *policy_ : policy_.emplace(); }
    /** One more rule; the first that matches a topic counts.  @return its record, to be filled in
     */
    wring_topic_rule &topic_rule(std::string_view name) { return rules.emplace_back(name).raw; }
    /** wss:// instead of ws://. */
    tls_server_config &tls(std::string_view cert_file, std::string_view key_file) {
        return tls_.emplace(cert_file, key_file);
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
        return made;
    }
    static wring_route route_record(const wring::route &of, wring_policy &room) {
        wring_route made = of.raw;
        if (of.handler_.record() != nullptr) {
            made.handler = of.handler_.record();
            made.opts = of.handler_.opts();
        } else {
            made.opts = of.responder_.get();
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
    }

    std::unique_ptr<detail::site> log_ = std::make_unique<detail::site>();
    detail::strings strings;
    std::list<wring::route> routes; /* references to them are given out */
    detail::bound_handler rest;
    detail::string_list subprotocols_;
    std::optional<wring::policy> policy_;
    std::list<wring::topic_rule> rules; /* references to their records are given out */
    std::optional<tls_server_config> tls_;
};

WRING_CPP_END

#endif
