/* SPDX-License-Identifier: Apache-2.0
 *
 * Handlers: when a state is built and destroyed, what it is built from, and what becomes of
 * exceptions at each place where one may leave.
 */
#include <algorithm>
#include <memory>
#include <new>

#include "tests/cpp/link.hpp"

/* How often C++ allocated. Not inlined: GCC 12 would see a delete of what malloc gave. */
static long allocations;
__attribute__((noinline)) void *operator new(std::size_t size) {
    allocations++;
    void *memory = std::malloc(size);
    return memory != nullptr ? memory : throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void *memory) noexcept {
    std::free(memory);
}
__attribute__((noinline)) void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}

/* ---- the life of a state --------------------------------------------------------------------- */

static struct {
    int built, destroyed, opened, messages, closed;
    std::string thrower; /* the callback that throws */
} seen;

static void maybe_throw(const char *where) {
    if (seen.thrower == where) {
        throw std::runtime_error(std::string("thrown by ") + where);
    }
}

struct counted {
    static constexpr const char *handler_name = "counted";

    counted(wring::session session, const wring::request &request) {
        CHECK(request.peer() == "memory:1");
        CHECK(session.try_state<counted>() == nullptr); /* not there yet */
        maybe_throw("constructor");
        seen.built++;
    }
    counted(const counted &) = delete;
    ~counted() noexcept(false) {
        seen.destroyed++;
        maybe_throw("destructor");
    }
    void on_open(wring::session session, const wring::request &) {
        CHECK(&session.state<counted>() == this);
        seen.opened++;
        maybe_throw("on_open");
    }
    wring::verdict on_message(wring::session session, const wring::message &message) {
        seen.messages++;
        maybe_throw("on_message");
        return message.is_data() ? session.send(message.echo()).or_stop() : wring::verdict::proceed;
    }
    void on_close(wring::session session, const wring_end &end) {
        CHECK(&session.state<counted>() == this && end.text[0] != 0);
        seen.closed++;
        maybe_throw("on_close");
    }
};

template <class State> wring::embed_config config_of() {
    wring::embed_config config;
    config.handle<State>();
    return config;
}

static void begin(const char *thrower = "") {
    seen = {};
    seen.thrower = thrower;
}

TEST(a_state_lives_as_long_as_its_session) {
    begin();
    test_link link(config_of<counted>());
    CHECK(seen.built == 1 && seen.opened == 1 && seen.destroyed == 0 && link.stream.activated == 1);
    CHECK(link.say({wring::text("a"), wring::text("b")}));
    CHECK(link.heard() == (heard{"a", "b"}) && seen.messages == 2 && seen.destroyed == 0);
    link.peer.close(4000);
    CHECK(!link.say({}) && link.session->is_over());
    CHECK(seen.messages == 3); /* the peer's close frame */
    CHECK(seen.closed == 1 && seen.destroyed == 1 && link.stream.closed == 1);
    CHECK(link.heard() == heard{"close 4000"} && link.log.lines.empty());
}

TEST(a_state_whose_constructor_throws_is_not_destroyed) {
    begin("constructor");
    test_link link(config_of<counted>());
    CHECK(link.why == WRING_ERR_CLOSED && link.stream.closed == 1);
    CHECK(seen.built == 0 && seen.destroyed == 0 && seen.closed == 0 && seen.opened == 0);
    CHECK(link.heard() == heard{"close 1011"});
    CHECK(link.log.lines.size() == 1 && link.log.has("callback=constructor, handler=counted"));
    CHECK(link.log.has("what=thrown by constructor") && link.log.has("error: callback_exception"));
}

TEST(an_exception_of_on_open_destroys_the_state_once) {
    begin("on_open");
    test_link link(config_of<counted>());
    CHECK(link.why == WRING_ERR_CLOSED && link.heard() == heard{"close 1011"});
    CHECK(seen.built == 1 && seen.opened == 1 && seen.closed == 1 && seen.destroyed == 1);
    CHECK(link.log.has("callback=on_open"));
}

TEST(an_exception_of_on_message_closes_with_1011_and_nothing_more_is_delivered) {
    begin("on_message");
    test_link link(config_of<counted>());
    CHECK(!link.say({wring::text("a"), wring::text("b")}));
    CHECK(seen.messages == 1 && seen.closed == 1 && seen.destroyed == 1);
    CHECK(link.heard() == heard{"close 1011"} && link.stream.closed == 1);
    CHECK(link.log.lines.size() == 1 && link.log.has("callback=on_message"));
}

TEST(what_was_sent_before_the_exception_goes_out) {
    struct sends {
        void on_message(wring::session session, const wring::message &message) {
            session.send(message.echo()).throw_if_error();
            session.send(wring::ping(std::string(126, 'x'))).throw_if_error(); /* too long */
        }
    };
    test_link link(config_of<sends>());
    CHECK(!link.say(wring::text("a")));
    CHECK(link.heard() == (heard{"a", "close 1011"}));
    CHECK(link.log.has(wring_result_text(WRING_ERR_INVALID_ARGUMENT)));
}

TEST(exceptions_of_on_close_and_of_the_destructor_are_logged) {
    begin("on_close");
    test_link closed(config_of<counted>());
    closed.session->fail(WRING_ERR_TRUNCATED, 5);
    CHECK(closed.session->is_over() && closed.stream.closed == 1);
    CHECK(seen.closed == 1 && seen.destroyed == 1 && closed.log.has("callback=on_close"));

    begin("destructor");
    test_link destroyed(config_of<counted>());
    destroyed.session->fail(WRING_ERR_TRUNCATED, 5);
    CHECK(seen.closed == 1 && seen.destroyed == 1 && destroyed.log.has("callback=destructor"));
}

TEST(an_exception_that_is_no_std_exception_is_one_too) {
    struct throws_int {
        void on_message(wring::session, const wring::message &) { throw 42; }
    };
    test_link link(config_of<throws_int>());
    CHECK(!link.say(wring::text("a")) && link.heard() == heard{"close 1011"});
    CHECK(link.log.has("what=no std::exception"));
}

TEST(what_an_exception_says_is_made_printable) {
    struct throws_raw {
        void on_message(wring::session, const wring::message &message) {
            throw std::runtime_error("bad: " + message.bytes().to_string());
        }
    };
    test_link link(config_of<throws_raw>());
    CHECK(!link.say(wring::text("\x1b[31m\n")));
    CHECK(link.log.has("what=bad: \\x1b[31m\\x0a)"));
}

/* ---- what a state is built from ---------------------------------------------------------------
 */

struct options {
    int number;
};
struct from_opts {
    from_opts(wring::session session, const wring::request &, options &given) : opts(&given) {
        CHECK(&session.opts<options>() == &given);
    }
    void on_message(wring::session session, const wring::message &) {
        session.send(wring::text(std::to_string(opts->number))).throw_if_error();
    }
    options *opts;
};
struct from_nothing {
    void on_message(wring::session session, const wring::message &) {
        session.send(wring::text(std::to_string(session.opts<options>().number))).throw_if_error();
    }
};
struct from_session {
    explicit from_session(wring::session session) {
        session.send(wring::text("welcome")).throw_if_error();
    }
};

TEST(opts_are_borrowed_or_taken) {
    options opts{5};
    wring::embed_config borrowed;
    borrowed.handle<from_opts>(opts);
    test_link first(std::move(borrowed));
    opts.number = 6;
    CHECK(first.say(wring::text("?")) && first.heard() == heard{"6"});

    wring::embed_config taken;
    taken.handle<from_nothing>(options{7});
    test_link second(std::move(taken));
    CHECK(second.say(wring::text("?")) && second.heard() == heard{"7"});
}

TEST(a_constructor_may_send) {
    test_link link(config_of<from_session>());
    CHECK(link.heard() == heard{"welcome"});
}

TEST(a_state_is_aligned) {
    struct alignas(16) aligned {
        char bytes[32] = {};
        void on_message(wring::session session, const wring::message &) {
            CHECK(reinterpret_cast<std::uintptr_t>(this) % 16 == 0);
            CHECK(session.try_state<aligned>() == this);
            CHECK(session.try_state<from_nothing>() == nullptr);
            session.send(wring::text("yes")).throw_if_error();
        }
    };
    test_link link(config_of<aligned>());
    CHECK(link.say(wring::text("?")) && link.heard() == heard{"yes"});
}

TEST(callbacks_are_handlers_without_a_state) {
    int closed = 0;
    wring::callbacks calls;
    calls.on_open = [](wring::session session, const wring::request &) {
        return session.send(wring::text("hello")).or_stop();
    };
    calls.on_message = [counter = std::make_unique<int>(0)](wring::session session,
                                                            const wring::message &) {
        return session.send(wring::text(std::to_string(++*counter))).or_stop();
    };
    calls.on_close = [&](wring::session, const wring_end &) { closed++; };
    wring::embed_config config;
    config.handle(std::move(calls));
    test_link link(std::move(config));
    CHECK(link.say({wring::text("x"), wring::text("y")}));
    CHECK(link.heard() == (heard{"hello", "1", "2"}) && closed == 0);
    link.session.reset(); /* as if the stream had ended */
    CHECK(closed == 1 && link.stream.closed == 1);
}

TEST(a_message_allocates_nothing) {
    begin();
    test_link link(config_of<counted>());
    CHECK(link.peer.send(wring::text("a message of some length, longer than a small string")).ok());
    const std::vector<std::uint8_t> one = link.peer.output().to_vector();
    std::vector<std::uint8_t> wire = one;
    link.stream.sent.reserve(1'000'000);
    const long before = allocations;
    for (int i = 0; i < 1000; i++) {
        std::copy(one.begin(), one.end(), wire.begin()); /* it is unmasked in place */
        CHECK(link.session->feed(wire, 3).ok());
    }
    CHECK(allocations == before && seen.messages == 1000);
}

TEST(a_verdict_ends_the_session) {
    struct stops {
        wring::verdict on_message(wring::session session, const wring::message &) {
            session.close(4002, "enough");
            return wring::verdict::stop;
        }
    };
    test_link link(config_of<stops>());
    CHECK(!link.say(wring::text("x")) && link.heard() == heard{"close 4002"});
    CHECK(link.session->feed(std::vector<std::uint8_t>(1), 9) == WRING_ERR_CLOSED);
    CHECK(link.session->deadline() == UINT64_MAX);
}

/* ---- streams and logs -------------------------------------------------------------------------
 */

TEST(an_exception_of_the_stream_ends_the_session) {
    begin();
    test_link link(config_of<counted>());
    link.stream.send_throws = true;
    CHECK(!link.say(wring::text("a")));
    CHECK(link.stream.closed == 1 && seen.closed == 1 && seen.destroyed == 1);
    CHECK(link.log.has("callback=send"));
}

TEST(an_embed_moves) {
    begin();
    test_link link(config_of<counted>());
    wring::embed moved = std::move(*link.session);
    CHECK(link.session->is_over() && !moved.is_over() && seen.destroyed == 0);
    *link.session = std::move(moved);
    CHECK(link.say(wring::text("a")) && link.heard() == heard{"a"});
    begin();
    test_link other(config_of<counted>());
    *link.session = std::move(*other.session); /* the one it had ends */
    CHECK(seen.destroyed == 1 && link.stream.closed == 1 && other.stream.closed == 0);
    link.session.reset();
    CHECK(seen.destroyed == 2 && other.stream.closed == 1);
}

static int hooked;
static void count_hook(const wring_log_record &log) noexcept {
    hooked += log.level == WRING_LOG_ERROR && std::strcmp(log.event, "callback_exception") == 0;
}

/* A session whose handler throws, with this log. */
static void throw_once(wring::log_function log) {
    begin("on_message");
    memory_stream stream;
    wring::embed_config config = config_of<counted>();
    if (log) {
        config.log(std::move(log));
    }
    wring::embed session(stream, std::move(config), 1);
    wring::machine peer(WRING_ROLE_CLIENT);
    CHECK(peer.open(1).ok() && peer.send(wring::text("x")).ok() && session.activate(1).ok());
    std::vector<std::uint8_t> wire = peer.output().to_vector();
    CHECK(session.feed(wire, 1) == WRING_ERR_CLOSED);
}

TEST(the_hook_has_what_no_log_takes) {
    const wring::exception_hook before = wring::set_exception_hook(&count_hook);
    hooked = 0;
    throw_once(nullptr);
    CHECK(hooked == 1);
    throw_once([](const wring_log_record &) { throw std::runtime_error("of the log"); });
    CHECK(hooked == 2);
    for (int i = 0; i < 100; i++) {
        throw_once(nullptr);
    }
    CHECK(hooked == 10); /* a peer may not fill the disk */
    CHECK(wring::set_exception_hook(before) == &count_hook);
}

int main(int argc, char **argv) {
    return check::run_all(argc, argv);
}
