/* SPDX-License-Identifier: Apache-2.0
 *
 * A cookie to be set, made safe unless it is told otherwise: Secure, HttpOnly, SameSite=Lax.
 *
 *     const auto header = wring::set_cookie("sid", token).age_max(std::chrono::hours(24)).text();
 *     if (header) { ... *header is the value of a Set-Cookie header ... }
 *
 * Thread: one at a time.
 */
#ifndef WRING_CPP_COOKIE_HPP
#define WRING_CPP_COOKIE_HPP

#include <chrono>
#include <string>

#include "wring/cpp/bytes.hpp"
#include "wring/cpp/error.hpp"
#include "wring/http.h"

WRING_CPP_BEGIN

/** A wring_cookie that owns its strings. */
class set_cookie {
  public:
    /** @param name   a token
     *  @param value  no space, quote, comma, semicolon, backslash or control byte */
    set_cookie(std::string name, std::string value)
        : name_(std::move(name)), value_(std::move(value)) {}

    /** Default "/". */
    set_cookie &path(std::string path) {
        path_ = std::move(path);
        return *this;
    }
    /** Also sent to the hosts below this one. Default: to this host only. */
    set_cookie &domain(std::string domain) {
        domain_ = std::move(domain);
        has_domain_ = true;
        return *this;
    }
    /** How long it is kept; nothing or less removes it. Default: until the browser is closed. */
    set_cookie &age_max(std::chrono::seconds age) noexcept {
        age_ = age.count() <= 0 ? -1 : static_cast<std::int64_t>(age.count());
        return *this;
    }
    /** The browser forgets it. Path and domain have to be those that it was set with. */
    set_cookie &remove() noexcept { return age_max(std::chrono::seconds(0)); }
    /** "Lax" (the default), "Strict" or "None". */
    set_cookie &same_site(std::string mode) {
        same_site_ = std::move(mode);
        return *this;
    }
    /** Also sent over plain HTTP. */
    set_cookie &insecure() noexcept {
        is_insecure_ = true;
        return *this;
    }
    /** Scripts can read it. */
    set_cookie &for_scripts() noexcept {
        is_for_scripts_ = true;
        return *this;
    }

    /** The value of a Set-Cookie header; WRING_ERR_INVALID_ARGUMENT for what wring_cookie_write
     *  refuses. */
    [[nodiscard]] outcome<std::string> text() const {
        /* Everything but the strings, with a 64-bit number, is shorter than this. */
        constexpr std::size_t attributes = 128;
        const wring_cookie cookie = raw();
        std::string out(name_.size() + value_.size() + path_.size() + domain_.size() + attributes,
                        '\0');
        std::size_t len = 0;
        const wring_result code = has_nul()
                                      ? WRING_ERR_INVALID_ARGUMENT
                                      : wring_cookie_write(&cookie, out.data(), out.size(), &len);
        if (code != WRING_OK) {
            wring_error why{};
            (void)wring_error_set(&why, code, 0,
                                  "the cookie's name, value or an attribute is illegal: see "
                                  "wring_cookie in wring/http.h");
            return why;
        }
        out.resize(len);
        return out;
    }

    /** The record of the C API, borrowed from this one. */
    [[nodiscard]] wring_cookie raw() const noexcept {
        wring_cookie cookie = record<wring_cookie>();
        cookie.is_insecure = is_insecure_;
        cookie.is_for_scripts = is_for_scripts_;
        cookie.name = name_.c_str();
        cookie.value = bytes_view(value_);
        cookie.path = path_.c_str();
        cookie.domain = has_domain_ ? domain_.c_str() : nullptr;
        cookie.age_max_seconds = age_;
        cookie.same_site = same_site_.c_str();
        return cookie;
    }

  private:
    /* The C API would take what stands before it. */
    [[nodiscard]] bool has_nul() const noexcept {
        const auto has = [](const std::string &text) {
            return text.find('\0') != std::string::npos;
        };
        return has(name_) || has(path_) || has(domain_) || has(same_site_);
    }

    std::string name_;
    std::string value_;
    std::string path_ = "/";
    std::string domain_;
    std::string same_site_ = "Lax";
    std::int64_t age_ = 0;
    bool has_domain_ = false;
    bool is_insecure_ = false;
    bool is_for_scripts_ = false;
};

WRING_CPP_END

#endif
