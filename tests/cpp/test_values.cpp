/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of the C++ layer: views, frames, results, functions, times, configurations.
 */
#include <array>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <wring/wring.hpp>
#ifdef __cpp_lib_span
#include <span>
#endif

#include "tests/cpp/check.hpp"

using namespace std::chrono_literals;

static std::size_t size_of(wring::bytes_view bytes) {
    return bytes.size();
}

TEST(a_view_is_made_of_everything_that_has_bytes) {
    const std::string string = "abc";
    const std::vector<std::uint8_t> vector = {1, 2};
    const std::vector<std::byte> bytes(4);
    const std::array<unsigned char, 5> array{};
    const unsigned char plain[6] = {};
    const std::byte plain_bytes[7] = {};
    CHECK(size_of("literal") == 7); /* without its NUL */
    CHECK(size_of(string) == 3 && size_of(std::string_view("ab")) == 2);
    CHECK(size_of(vector) == 2 && size_of(bytes) == 4 && size_of(array) == 5);
    CHECK(size_of(plain) == 6 && size_of(plain_bytes) == 7);
    CHECK(size_of({}) == 0 && size_of(static_cast<const char *>(nullptr)) == 0);
    CHECK(wring::bytes_view(vector).data() == vector.data());
#ifdef __cpp_lib_span
    CHECK(size_of(std::span<const std::byte>(bytes)) == 4);
#endif
}

TEST(a_view_does_not_take_what_has_no_bytes) {
    static_assert(!std::is_convertible_v<std::vector<int>, wring::bytes_view>);
    static_assert(!std::is_convertible_v<int, wring::bytes_view>);
    static_assert(!std::is_convertible_v<const std::vector<std::uint8_t> &, wring::mut_bytes_view>);
    static_assert(std::is_convertible_v<std::vector<std::uint8_t> &, wring::mut_bytes_view>);
    static_assert(!std::is_convertible_v<const std::string &, wring::mut_bytes_view>);
}

TEST(parts_of_a_view_stay_within_it) {
    const wring::bytes_view view("abcdef");
    CHECK(view.part(2).text() == "cdef" && view.part(2, 2).text() == "cd");
    CHECK(view.part(5, 100).text() == "f" && view.part(6).empty() && view.part(99, 1).empty());
    CHECK(view == wring::bytes_view(std::string("abcdef")) && view != wring::bytes_view("abcdeF"));
    CHECK(view.to_string() == "abcdef" && view.to_vector().size() == 6 && view[1] == 'b');
}

TEST(a_writable_view_is_of_the_same_memory) {
    std::vector<std::uint8_t> vector = {1, 2, 3};
    const wring_mut_bytes bytes = wring::mut_bytes_view(vector);
    bytes.data[1] = 9;
    std::uint8_t plain[2] = {};
    CHECK(vector[1] == 9 && bytes.len == 3 && wring::mut_bytes_view(plain).size() == 2);
}

TEST(frames_are_those_of_the_c_api) {
    const wring::frame text = wring::text("hi");
    CHECK(text.opcode == WRING_TEXT && text.payload.len == 2 && text.compress == 0);
    CHECK(text.compressed(WRING_COMPRESS_NEVER).compress == WRING_COMPRESS_NEVER);
    const wring::frame close = wring::close(4001, "enough");
    CHECK(close.opcode == WRING_CLOSE && close.close_code == 4001 && close.payload.len == 6);
    CHECK(wring::ping().opcode == WRING_PING && wring::ping().payload.len == 0);
    CHECK(wring::pong("x").opcode == WRING_PONG && wring::binary("x").opcode == WRING_BINARY);
    CHECK(wring::close().close_code == WRING_CLOSE_NORMAL);
}

static std::size_t count_of(wring::frames_view frames) {
    return frames.size();
}

TEST(frames_in_a_row_come_from_lists_arrays_and_vectors) {
    const wring::frame array[] = {wring::text("a"), wring::text("b"), wring::ping()};
    const std::vector<wring::frame> vector(4, wring::ping());
    CHECK(count_of({wring::text("a"), wring::binary("b")}) == 2);
    CHECK(count_of(array) == 3 && count_of(vector) == 4 && count_of(wring::ping()) == 1);
    CHECK(wring::frames_view(array).data()[1].payload.data == array[1].payload.data);
}

TEST(a_message_is_echoed_as_what_it_was) {
    const wring::message message(wring_message{WRING_BINARY, 0, wring_str("abc")});
    CHECK(message.is_binary() && message.is_data() && !message.is_text() && !message.is_close());
    CHECK(message.text() == "abc" && message.echo().opcode == WRING_BINARY);
    const wring::message close(wring_message{WRING_CLOSE, 4000, wring_str("why")});
    CHECK(close.is_close() && close.close_code() == 4000 && close.text() == "why");
}

TEST(a_result_says_what_it_is) {
    const wring::result bad = WRING_ERR_QUEUE_FULL;
    CHECK(!bad && !bad.ok() && bad == WRING_ERR_QUEUE_FULL && bad != wring::result());
    CHECK(std::strcmp(bad.name(), "ERR_QUEUE_FULL") == 0 && bad.fault() == WRING_CLASS_LIMIT);
    CHECK(bad.or_stop() == wring::verdict::stop);
    CHECK(wring::result().ok() && wring::result().or_stop() == wring::verdict::proceed);
    bad.ignore();
}

TEST(a_result_that_is_an_error_can_be_thrown) {
    wring::result().throw_if_error();
    try {
        wring::result(WRING_ERR_CLOSED).throw_if_error();
        NEVER();
    } catch (const std::runtime_error &caught) {
        const auto &error = dynamic_cast<const wring::error &>(caught);
        CHECK(error.code() == WRING_ERR_CLOSED && std::strcmp(error.name(), "ERR_CLOSED") == 0);
        CHECK(std::strcmp(error.what(), wring_result_text(WRING_ERR_CLOSED)) == 0);
    }
}

TEST(an_outcome_is_a_value_or_an_error) {
    wring::outcome<std::unique_ptr<int>> good = std::make_unique<int>(3);
    CHECK(good && **good == 3 && *std::move(good).value() == 3);
    wring_error why{};
    (void)wring_error_set(&why, WRING_ERR_ADDRESS, 98, "port %d is taken", 80);
    wring::outcome<std::unique_ptr<int>> bad = why;
    CHECK(!bad.ok() && bad.error().code() == WRING_ERR_ADDRESS);
    CHECK(bad.error().system_errno() == 98 &&
          std::strcmp(bad.error().text(), "port 80 is taken") == 0);
    try {
        (void)std::move(bad).value();
        NEVER();
    } catch (const wring::error &error) {
        CHECK(error.code() == WRING_ERR_ADDRESS);
    }
}

TEST(a_function_moves_and_destroys_what_it_holds_once) {
    auto counted = std::make_shared<int>(0);
    wring::function<int(int)> function = [counted, p = std::make_unique<int>(2)](int x) {
        return x * *p;
    };
    CHECK(function && function(21) == 42 && counted.use_count() == 2);
    wring::function<int(int)> other = std::move(function);
    CHECK(!function && other(1) == 2 && counted.use_count() == 2);
    other = [](int x) { return x; };
    CHECK(other(7) == 7 && counted.use_count() == 1);
    other = nullptr;
    CHECK(!other);
}

TEST(a_callable_that_returns_nothing_proceeds) {
    const wring::function<wring::verdict(int)> nothing = [](int) {};
    const wring::function<wring::verdict(int)> stops = [](int) { return wring::verdict::stop; };
    CHECK(nothing(1) == wring::verdict::proceed && stops(1) == wring::verdict::stop);
}

static std::uint32_t ms_of(wring::milliseconds time) {
    return time.count();
}

TEST(times_are_rounded_up_and_stay_in_range) {
    CHECK(ms_of(5s) == 5000 && ms_of(1us) == 1 && ms_of(0s) == 0 && ms_of(-5s) == 0);
    CHECK(ms_of(24h * 365) == UINT32_MAX - 1); /* UINT32_MAX would be WRING_OFF */
    CHECK(wring::moment(std::chrono::steady_clock::time_point(7ns)).count() == 7);
}

TEST(a_policy_has_parts_only_when_they_were_asked_for) {
    wring::policy policy;
    CHECK(policy.get().struct_size == sizeof(wring_policy));
    CHECK(policy.get().session == nullptr && policy.get().deflate == nullptr);
    policy.session().idle_timeout_ms = 5;
    policy.deflate().level = 1;
    wring::policy moved = std::move(policy);
    CHECK(moved.get().session->idle_timeout_ms == 5 && moved.get().deflate->level == 1);
    CHECK(moved.get().session->struct_size == sizeof(wring_session_config));
}

TEST(configurations_own_their_strings) {
    wring::tls_client_config tls;
    {
        const std::string name = "/a/file/whose/name/is/long/enough/to/be/on/the/heap.pem";
        tls.ca(name).certificate("cert", "key").alpn({std::string("http/1.1"), "x"});
    }
    const wring::tls_client_config moved = std::move(tls);
    CHECK(std::strncmp(moved.raw.ca_file, "/a/file/", 8) == 0 && moved.raw.alpn_count == 2);
    CHECK(std::strcmp(moved.raw.cert_file, "cert") == 0);
    CHECK(std::strcmp(moved.raw.alpn[0], "http/1.1") == 0);
}

TEST(refs_are_numbers) {
    std::unordered_set<wring::ref> set = {wring::ref(5), wring::ref(6), wring::ref(5)};
    CHECK(set.size() == 2 && wring::ref(5) < wring::ref(6) && !wring::ref() && wring::ref(5));
    CHECK(wring::ref().send(wring::text("x")) == WRING_ERR_CLOSED);
    bool ran = false;
    CHECK(wring::ref().post([&](wring::session) { ran = true; }) == WRING_ERR_CLOSED && !ran);
}

TEST(a_log_record_is_a_line) {
    auto log = wring::record<wring_log_record>();
    log.level = WRING_LOG_WARNING;
    log.event = "session_slow";
    log.text = "a peer reads too slowly";
    CHECK(wring::to_string(log) == "warning: session_slow: a peer reads too slowly");
    const wring_log_field fields[] = {{"a", "1"}, {"b", "2"}};
    log.fields = fields;
    log.field_count = 2;
    CHECK(wring::to_string(log) == "warning: session_slow: a peer reads too slowly (a=1, b=2)");
}

TEST(peers_text_is_made_printable) {
    CHECK(wring::printable("a\x1b[31m\n") == "a\\x1b[31m\\x0a");
    CHECK(wring::printable("\xff\xff") == "\\xff\\xff" && wring::printable("").empty());
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
