/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of configurations: policies, topic rules, TLS. Each holds the record of the C API in
 * `raw`, with every field of it, and owns what the record points to: strings that were set through
 * its functions live as long as the object. Pointers put into `raw` by hand are borrowed.
 *
 * Thread: one at a time. A record is read when it is given to the library, and copied.
 */
#ifndef WRING_CPP_POLICY_HPP
#define WRING_CPP_POLICY_HPP

#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wring/cpp/base.hpp"
#include "wring/deflate.h"
#include "wring/policy.h"
#include "wring/tls.h"
#include "wring/topic.h"

WRING_CPP_BEGIN

namespace detail {

/** Strings whose addresses last as long as this does, also when it is moved. */
class strings {
  public:
    const char *keep(std::string_view text) { return kept.emplace_back(text).c_str(); }

  private:
    std::list<std::string> kept;
};

/** A list of them, as the C API takes lists. */
class string_list {
  public:
    void assign(std::initializer_list<std::string_view> texts) {
        list.clear();
        for (const std::string_view text : texts) {
            list.push_back(owned.keep(text));
        }
    }
    [[nodiscard]] const char *const *data() const noexcept { return list.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return list.size(); }

  private:
    strings owned;
    std::vector<const char *> list;
};

} // namespace detail

/** What a server allows its sessions (wring/policy.h).
 *
 *     wring::policy policy;
 *     policy.raw.slow_policy = WRING_SLOW_DROP_OLDEST;
 *     policy.session().idle_timeout_ms = 60'000;
 *     policy.deflate();                              permessage-deflate, with its defaults
 */
class policy {
  public:
    /** Every field. */
    wring_policy raw = record<wring_policy>();

    /** Limits and timeouts of a session; they count from the first call on. */
    wring_session_config &session() {
        return session_ ? *session_ : session_.emplace(record<wring_session_config>());
    }
    /** Compression; it is accepted from the first call on. */
    wring_deflate_config &deflate() {
        return deflate_ ? *deflate_ : deflate_.emplace(record<wring_deflate_config>());
    }
    /** The record, pointing into this object: until that moves or goes. */
    [[nodiscard]] wring_policy get() const noexcept {
        wring_policy made = raw;
        made.session = session_ ? &*session_ : raw.session;
        made.deflate = deflate_ ? &*deflate_ : raw.deflate;
        return made;
    }

  private:
    std::optional<wring_session_config> session_;
    std::optional<wring_deflate_config> deflate_;
};

/** How topics behave whose name matches (wring/topic.h). */
class topic_rule {
  public:
    /** @param name  exact; a '*' at its end matches any rest */
    explicit topic_rule(std::string_view name) : name_(name) {}

    /** Every field except the name. */
    wring_topic_rule raw = record<wring_topic_rule>();

    /** The record, pointing into this object: until that moves or goes. */
    [[nodiscard]] wring_topic_rule get() const noexcept {
        wring_topic_rule made = raw;
        made.name = name_.c_str();
        return made;
    }

  private:
    std::string name_;
};

/** A server's TLS (wring/tls.h): names of PEM files. */
class tls_server_config {
  public:
    /** For clients that name no host, or one that has no certificate of its own. */
    tls_server_config(std::string_view cert_file, std::string_view key_file) {
        raw.cert_file = owned.keep(cert_file);
        raw.key_file = owned.keep(key_file);
    }

    /** Every field. */
    wring_tls_server_config raw = record<wring_tls_server_config>();

    /** A further certificate, for clients that ask for `server_name`. */
    tls_server_config &sni(std::string_view server_name, std::string_view cert_file,
                           std::string_view key_file) {
        auto more = record<wring_tls_sni>();
        more.server_name = owned.keep(server_name);
        more.cert_file = owned.keep(cert_file);
        more.key_file = owned.keep(key_file);
        sni_.push_back(more);
        raw.sni = sni_.data();
        raw.sni_count = sni_.size();
        return *this;
    }
    /** Clients need a certificate signed by one of these. */
    tls_server_config &client_ca(std::string_view file) {
        raw.client_ca_file = owned.keep(file);
        return *this;
    }
    /** Application protocols, the preferred one first. */
    tls_server_config &alpn(std::initializer_list<std::string_view> protocols) {
        alpn_.assign(protocols);
        raw.alpn = alpn_.data();
        raw.alpn_count = alpn_.size();
        return *this;
    }

    tls_server_config(tls_server_config &&) = default;
    tls_server_config &operator=(tls_server_config &&) = default;

  private:
    detail::strings owned;
    detail::string_list alpn_;
    std::vector<wring_tls_sni> sni_;
};

/** A client's TLS (wring/tls.h). */
class tls_client_config {
  public:
    tls_client_config() = default;

    /** Every field. */
    wring_tls_client_config raw = record<wring_tls_client_config>();

    /** PEM with the authorities that are trusted, in place of the system's. */
    tls_client_config &ca(std::string_view file) {
        raw.ca_file = owned.keep(file);
        return *this;
    }
    /** Our own certificate. */
    tls_client_config &certificate(std::string_view cert_file, std::string_view key_file) {
        raw.cert_file = owned.keep(cert_file);
        raw.key_file = owned.keep(key_file);
        return *this;
    }
    /** Application protocols, the preferred one first. */
    tls_client_config &alpn(std::initializer_list<std::string_view> protocols) {
        alpn_.assign(protocols);
        raw.alpn = alpn_.data();
        raw.alpn_count = alpn_.size();
        return *this;
    }

    tls_client_config(tls_client_config &&) = default;
    tls_client_config &operator=(tls_client_config &&) = default;

  private:
    detail::strings owned;
    detail::string_list alpn_;
};

WRING_CPP_END

#endif
