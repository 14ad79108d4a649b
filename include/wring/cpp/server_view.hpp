/* SPDX-License-Identifier: Apache-2.0
 *
 * What callbacks and other threads ask of a running server. The class is a pointer that owns
 * nothing: session.server() in a callback, or a wring::server, which is one as well. A program
 * keeps the server alive while others use views of it.
 *
 * Thread: any, callbacks included, except where it is said. Cost: that of the C function.
 */
#ifndef WRING_CPP_SERVER_VIEW_HPP
#define WRING_CPP_SERVER_VIEW_HPP

#include <memory>

#include "wring/cpp/handler.hpp"
#include "wring/cpp/policy.hpp"
#include "wring/server.h"

WRING_CPP_BEGIN

namespace detail {

/** A visit under way; destroyed by its `done`, which always comes. */
struct visiting {
    site *log;
    function<verdict(session)> each;
    function<void(std::uint64_t, bool)> done;

    static wring_verdict on_session(wring_session *raw, void *opts) noexcept {
        auto *self = static_cast<visiting *>(opts);
        return guarded_verdict(raw, self->log, "visit", nullptr,
                               [&] { return self->each(session(raw)); });
    }
    static void on_done(std::uint64_t visited, bool is_whole, void *opts) noexcept {
        auto *self = static_cast<visiting *>(opts);
        guarded(self->log, "visit done", nullptr, [&] {
            if (self->done) {
                self->done(visited, is_whole);
            }
        });
        delete self;
    }
};

} // namespace detail

/** A wring_server that somebody else owns. */
class server_view {
  public:
    explicit server_view(wring_server *given) noexcept : c(given) {}

    /* ---- topics ---- */

    /** Sends one text or binary frame to every subscriber on every worker: framed once, shared.
     *  Errors: as wring_server_publish */
    result publish(std::string_view topic, const frame &one) const noexcept {
        return wring_server_publish(c, bytes_view(topic), &one);
    }
    /** @param key  for WRING_SLOW_KEEP_LATEST: what a newer message replaces */
    result publish(std::string_view topic, const frame &one, std::uint64_t key) const noexcept {
        auto options = record<wring_publish_options>();
        options.key = key;
        return publish(topic, one, options);
    }
    result publish(std::string_view topic, const frame &one,
                   const wring_publish_options &options) const noexcept {
        return wring_server_publish_with(c, bytes_view(topic), &one, &options);
    }
    /** Begins the close handshake with every subscriber of the topic. */
    result close_topic(std::string_view topic, std::uint16_t code = WRING_CLOSE_NORMAL,
                       std::string_view reason = {}) const noexcept {
        return wring_server_close_topic(c, bytes_view(topic), code, bytes_view(reason));
    }
    /** Ends every subscription of the topic. */
    result unsubscribe_topic(std::string_view topic) const noexcept {
        return wring_server_unsubscribe_topic(c, bytes_view(topic));
    }
    /** How many workers have subscribers of the topic. */
    [[nodiscard]] std::uint32_t topic_workers(std::string_view topic) const noexcept {
        return wring_server_topic_workers(c, bytes_view(topic));
    }

    /* ---- sessions ---- */

    /** Visits the open sessions of a worker, which calls `each(session)`: that may return a
     *  verdict, and closes its session with 1011 if it throws.
     *  @param done  called once at the end, with how many were visited, and whether all of them
     *               were: a server that is stopped meanwhile ends the visit
     *  Own:    taken; destroyed after `done`, or when this returns an error: then nothing is called
     *  Errors: as wring_server_visit */
    result visit(std::uint32_t worker, function<verdict(session)> each,
                 function<void(std::uint64_t, bool)> done = {}) const {
        std::unique_ptr<detail::visiting> job(
            new (std::nothrow) detail::visiting{log, std::move(each), std::move(done)});
        if (job == nullptr) {
            return WRING_ERR_NO_MEMORY;
        }
        auto visit = record<wring_visit>();
        visit.session = &detail::visiting::on_session;
        visit.done = &detail::visiting::on_done;
        visit.opts = job.get();
        const result begun = wring_server_visit(c, worker, &visit);
        if (begun.ok()) {
            (void)job.release();
        }
        return begun;
    }

    /* ---- changed while it runs ---- */

    /** Replaces the policy of a route, or of the whole server, while it runs.
     *  @param path  a route's, as it was configured; nullptr: the server's own
     *  @param why   says which field is wrong   Errors: as wring_server_set_policy */
    result set_policy(c_string path, const policy &wanted, wring_error &why) const noexcept {
        const wring_policy made = wanted.get();
        return wring_server_set_policy(c, path, &made, &why);
    }
    /** Replaces all topic rules.   Errors: as wring_server_set_topic_rules */
    result set_topic_rules(const std::vector<topic_rule> &rules, wring_error &why) const {
        std::vector<wring_topic_rule> list;
        list.reserve(rules.size());
        for (const topic_rule &rule : rules) {
            list.push_back(rule.get());
        }
        return wring_server_set_topic_rules(c, list.data(), list.size(), &why);
    }
    /** Reads the TLS files again, for new connections.   Thread: any except a worker's */
    result reload_tls(wring_error &why) const noexcept { return wring_server_reload_tls(c, &why); }
#if WRING_CPP_EXCEPTIONS
    void set_policy(c_string path, const policy &wanted) const {
        wring_error why{};
        detail::check(set_policy(path, wanted, why).code(), why);
    }
    void set_topic_rules(const std::vector<topic_rule> &rules) const {
        wring_error why{};
        detail::check(set_topic_rules(rules, why).code(), why);
    }
    void reload_tls() const {
        wring_error why{};
        detail::check(reload_tls(why).code(), why);
    }
#endif

    /* ---- questions ---- */

    /** The port in use; 0 while it does not run. */
    [[nodiscard]] std::uint16_t port() const noexcept {
        return wring_server_port(c);
    }
    [[nodiscard]] std::uint32_t worker_count() const noexcept {
        return wring_server_worker_count(c);
    }
    /** A worker as the home of clients, from 0; WRING_LOOP_NONE while it does not run. */
    [[nodiscard]] wring_loop loop(std::uint32_t worker) const noexcept {
        return wring_server_loop(c, worker);
    }
    /** @param deflate  room for the counts of single connections' messages, if they are wanted */
    [[nodiscard]] wring_server_stats stats(wring_deflate_stats *deflate = nullptr) const noexcept {
        auto out = record<wring_server_stats>();
        out.deflate = deflate;
        (void)wring_server_get_stats(c, &out);
        return out;
    }
    /** How many connections, requests and sessions were refused or ended for this reason. */
    [[nodiscard]] std::uint64_t refusals(wring_result reason) const noexcept {
        return wring_server_refusals(c, reason);
    }
    [[nodiscard]] wring_server *raw() const noexcept {
        return c;
    }

  protected:
    server_view(wring_server *given, detail::site *at) noexcept : c(given), log(at) {}

    wring_server *c;
    detail::site *log = nullptr; /* nullptr: exceptions of visits go to the hook */
};

inline server_view session::server() const noexcept {
    return server_view(wring_session_server(c));
}

WRING_CPP_END

#endif
