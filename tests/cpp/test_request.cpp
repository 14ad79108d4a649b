/* SPDX-License-Identifier: Apache-2.0
 *
 * What is read from a request, and cookies that are set. Needs the protocol alone.
 */
#include <string>
#include <vector>

#include "wring/cpp/cookie.hpp"
#include "wring/cpp/request.hpp"

#include "tests/cpp/check.hpp"

static wring_header header(const char *name, const char *value) {
    return wring_header{wring_str(name), wring_str(value)};
}

TEST(a_request_tells_its_query_cookies_token_and_params) {
    const wring_header list[] = {header("cookie", "a=0; sid=\"x\""), header("cookie", "b="),
                                 header("authorization", "bearer abc=")};
    const wring_header params[] = {header("id", "7")};
    auto raw = wring::record<wring_request>();
    raw.query = wring_str("q=a+b%26&bad=%&q=2&%C3%A9=1");
    raw.headers = wring_headers{list, 3};
    raw.params = wring_headers{params, 1};
    const wring::request request(raw);
    CHECK(request.query_value("q") == "a b&" && request.query_value("\xc3\xa9") == "1");
    CHECK(!request.query_value("bad") && !request.query_value("none"));
    CHECK(request.cookie("sid") == "x" && request.cookie("b") == "" && !request.cookie("SID"));
    CHECK(request.bearer() == "abc=");
    CHECK(request.param("id") == "7" && !request.param("ID"));
}

TEST(a_request_may_have_nothing) {
    const auto raw = wring::record<wring_request>();
    const wring::request request(raw);
    CHECK(!request.query_value("") && !request.cookie("a") && !request.bearer());
    CHECK(!request.param("id"));
}

TEST(a_form_is_walked) {
    std::vector<std::string> got;
    const auto visit = [&](std::string_view name, std::string_view value) {
        got.push_back(std::string(name) + "|" + *wring::query_view::decode(value));
    };
    wring::query_view("a=1+2&b&=c%00").each(visit);
    wring::query_view().each(visit);
    CHECK(got.size() == 3 && got[0] == "a|1 2" && got[1] == "b|");
    CHECK(got[2] == std::string("|c\0", 3));
    CHECK(!wring::query_view::decode("%zz"));
}

TEST(percent_encoding_is_decoded_or_refused) {
    CHECK(wring::percent_decode("a%2Fb+c") == "a/b+c" && wring::percent_decode("") == "");
    CHECK(!wring::percent_decode("%2"));
}

TEST(a_cookie_is_safe_unless_told_otherwise) {
    auto safe = wring::set_cookie("sid", "1").text();
    CHECK(safe && *safe == "sid=1; Path=/; SameSite=Lax; Secure; HttpOnly");
    auto open = wring::set_cookie("n", "v")
                    .path("/app")
                    .domain("example.com")
                    .age_max(std::chrono::hours(1))
                    .same_site("Strict")
                    .insecure()
                    .for_scripts()
                    .text();
    CHECK(open && *open == "n=v; Path=/app; Domain=example.com; Max-Age=3600; SameSite=Strict");
    auto gone = wring::set_cookie("n", "").remove().text();
    CHECK(gone && *gone == "n=; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly");
    auto longest = wring::set_cookie("n", "").age_max(std::chrono::seconds::max()).text();
    CHECK(longest && longest->find("9223372036854775807") != std::string::npos);
}

TEST(an_illegal_cookie_is_an_error) {
    CHECK(wring::set_cookie("a b", "").text().error().code() == WRING_ERR_INVALID_ARGUMENT);
    CHECK(!wring::set_cookie("n", "a;b").text());
    CHECK(!wring::set_cookie("n", std::string("a\0b", 3)).text());
    CHECK(!wring::set_cookie(std::string("n\0x", 3), "").text());
    CHECK(!wring::set_cookie("n", "").path(std::string("/\0x", 3)).text());
    CHECK(!wring::set_cookie("n", "").domain("").text());
    CHECK(!wring::set_cookie("__Host-n", "").domain("a.b").text());
    CHECK(!wring::set_cookie("n", "").same_site("None").insecure().text());
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
