/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket protocol of one session without I/O, clock, thread or callback: fed bytes, it gives
 * events and keeps the bytes that have to go out. For programs that drive everything themselves.
 *
 *     machine.feed(bytes, now);
 *     wring::event event;
 *     while (machine.next(event)) { ... event.message().text() ... }
 *     while (!machine.output().empty()) {
 *         machine.sent(write(machine.output()));
 *     }
 *
 * Needs libwring-proto only. Thread: any, one at a time. Cost: that of the C function.
 */
#ifndef WRING_CPP_MACHINE_HPP
#define WRING_CPP_MACHINE_HPP

#include <optional>
#include <utility>

#include "wring/cpp/deflate.hpp"
#include "wring/cpp/frame.hpp"
#include "wring/cpp/time.hpp"
#include "wring/machine.h"

WRING_CPP_BEGIN

/** What a machine is made from: every field is in `raw`. */
class machine_config {
  public:
    machine_config(wring_role role = WRING_ROLE_SERVER) noexcept { raw.role = role; }

    /** Every field. What functions set takes precedence over what stands here. */
    wring_machine_config raw = record<wring_machine_config>();

    /** Limits and timeouts; they count from the first call on. */
    wring_session_config &session() {
        return session_ ? *session_ : session_.emplace(record<wring_session_config>());
    }
    /** Compression, as it was negotiated.  @param contexts  borrowed for the machine's life */
    machine_config &deflate(deflate_contexts &contexts, const wring_deflate_params &params) {
        raw.deflate = contexts.raw();
        params_ = params;
        return *this;
    }
    /** The record, pointing into this object: until that moves or goes. */
    [[nodiscard]] wring_machine_config get() const noexcept {
        wring_machine_config made = raw;
        made.session = session_ ? &*session_ : raw.session;
        made.deflate_params = params_ ? &*params_ : raw.deflate_params;
        return made;
    }

  private:
    std::optional<wring_session_config> session_;
    std::optional<wring_deflate_params> params_;
};

/** A wring_event: a message, or that the machine has ended. */
class event {
  public:
    [[nodiscard]] constexpr bool is_message() const noexcept {
        return c.kind == WRING_EVENT_MESSAGE;
    }
    /** Exactly once, last: see machine::end. */
    [[nodiscard]] constexpr bool is_end() const noexcept { return c.kind == WRING_EVENT_END; }
    /** @pre is_message()   Good until the machine is called again */
    [[nodiscard]] constexpr wring::message message() const noexcept { return c.message; }
    [[nodiscard]] constexpr const wring_event &raw() const noexcept { return c; }

  private:
    friend class machine;
    wring_event c{};
};

/** Owns a wring_machine. Moves; one that was moved from may be destroyed and assigned to. */
class machine {
  public:
    /** Errors: WRING_ERR_INVALID_CONFIG (the text names the field), WRING_ERR_NO_MEMORY */
    [[nodiscard]] static outcome<machine> create(const machine_config &config = machine_config()) {
        const wring_machine_config given = config.get();
        wring_error why{};
        wring_machine *made = nullptr;
        if (wring_machine_create(&given, &made, &why) != WRING_OK) {
            return why;
        }
        return machine(made);
    }
#if WRING_CPP_EXCEPTIONS
    /** The same, and throws an error. */
    explicit machine(const machine_config &config = machine_config())
        : machine(create(config).value()) {}
#endif

    /** The handshake is done: READY becomes OPEN. */
    result open(moment now) noexcept {
        return wring_machine_open(c, now.count());
    }
    /** Lends received bytes. They are unmasked in place, and must stay until next() gave false.
     *  Errors: WRING_ERR_INVALID_STATE (not open yet, or the last bytes are not used up) */
    result feed(mut_bytes_view bytes, moment now) noexcept {
        return wring_machine_feed(c, bytes, now.count());
    }
    /** The next event; false when the bytes are used up and nothing is left to tell. */
    [[nodiscard]] bool next(event &out) noexcept {
        return wring_machine_next(c, &out.c) == WRING_OK;
    }
    /** The stream ended (WRING_ERR_TRUNCATED) or broke. */
    void fail(wring_result reason) noexcept {
        wring_machine_fail(c, reason);
    }
    /** How it ended; nothing while it has not. */
    [[nodiscard]] std::optional<wring_end> end() const noexcept {
        auto out = record<wring_end>();
        return wring_machine_get_end(c, &out) == WRING_OK ? std::optional<wring_end>(out)
                                                          : std::nullopt;
    }

    /** Queues one frame; its payload is copied.  Errors: as wring_machine_send */
    result send(const frame &one) noexcept {
        return wring_machine_send(c, &one);
    }
    /** A message in pieces, whose length is not known yet.  Errors: as
     *  wring_machine_message_begin */
    result message_begin(wring_opcode kind, bytes_view piece = {}) noexcept {
        return wring_machine_message_begin(c, kind, piece);
    }
    result message_continue(bytes_view piece) noexcept {
        return wring_machine_message_continue(c, piece);
    }
    result message_end(bytes_view piece = {}) noexcept {
        return wring_machine_message_end(c, piece);
    }
    /** Begins the close handshake. */
    void close(std::uint16_t code = WRING_CLOSE_NORMAL, std::string_view reason = {}) noexcept {
        wring_machine_close(c, code, bytes_view(reason));
    }

    /** The first run of bytes that have to go out; empty when there are none. Until sent(). */
    [[nodiscard]] bytes_view output() const noexcept {
        return wring_machine_output(c);
    }
    /** The stream took `count` bytes of output(). */
    void sent(std::size_t count) noexcept {
        wring_machine_sent(c, count);
    }

    /** When expire() has to be called, in monotonic ns; UINT64_MAX for never. */
    [[nodiscard]] std::uint64_t deadline() const noexcept {
        return wring_machine_deadline_ns(c);
    }
    /** Time has passed: sends a due ping, ends a machine whose deadline is over. */
    void expire(moment now) noexcept {
        wring_machine_expire(c, now.count());
    }
    [[nodiscard]] wring_machine_state state() const noexcept {
        return wring_machine_get_state(c);
    }
    /** Everything is said and sent: the stream should be shut. */
    [[nodiscard]] bool is_finished() const noexcept {
        return wring_machine_is_finished(c);
    }
    [[nodiscard]] wring_machine *raw() const noexcept {
        return c;
    }

    machine(machine &&other) noexcept : c(std::exchange(other.c, nullptr)) {}
    machine &operator=(machine &&other) noexcept {
        std::swap(c, other.c);
        return *this;
    }
    ~machine() {
        wring_machine_destroy(c);
    }

  private:
    explicit machine(wring_machine *made) noexcept : c(made) {}

    wring_machine *c;
};

WRING_CPP_END

#endif
