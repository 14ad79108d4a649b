/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels: frames to send and messages received. Both borrow their payload: a frame for the
 * call that it is given to, a message until the callback returns.
 *
 *     session.send(text("hello"));
 *     session.send({text("a"), binary(bytes), wring::close(4001, "enough")});
 *     session.send(message.echo());
 *
 * Thread: any. Cost: none; nothing is copied or allocated here.
 */
#ifndef WRING_CPP_FRAME_HPP
#define WRING_CPP_FRAME_HPP

#include <initializer_list>

#include "wring/close.h"
#include "wring/cpp/bytes.hpp"
#include "wring/frame.h"

WRING_CPP_BEGIN

/** A wring_frame: one message or control frame to send. */
class frame : public wring_frame {
  public:
    constexpr frame(const wring_frame &given) noexcept : wring_frame(given) {}
    /** @param code  of a close frame */
    constexpr frame(wring_opcode kind, bytes_view bytes, std::uint16_t code = 0) noexcept
        : wring_frame{kind, code, WRING_COMPRESS_DEFAULT, bytes} {}

    /** The same frame with another wish about its compression. */
    [[nodiscard]] constexpr frame compressed(wring_compress wish) const noexcept {
        frame other = *this;
        other.compress = static_cast<std::uint16_t>(wish);
        return other;
    }
};
static_assert(sizeof(frame) == sizeof(wring_frame), "arrays of frames are given to the C API");

/** A text message.  @param payload  valid UTF-8, borrowed */
[[nodiscard]] inline frame text(std::string_view payload) noexcept {
    return {WRING_TEXT, payload};
}
/** A binary message.  @param payload  borrowed */
[[nodiscard]] inline frame binary(bytes_view payload) noexcept {
    return {WRING_BINARY, payload};
}
/** @param payload  at most 125 bytes */
[[nodiscard]] inline frame ping(bytes_view payload = {}) noexcept {
    return {WRING_PING, payload};
}
/** @param payload  at most 125 bytes */
[[nodiscard]] inline frame pong(bytes_view payload = {}) noexcept {
    return {WRING_PONG, payload};
}
/** A close frame.  @param reason  cut at 123 bytes, between code points */
[[nodiscard]] inline frame close(std::uint16_t code = WRING_CLOSE_NORMAL,
                                 std::string_view reason = {}) noexcept {
    return {WRING_CLOSE, reason, code};
}

/** Frames in a row, borrowed: from {a, b}, an array, a std::vector or a std::span of frames. */
class frames_view {
  public:
    constexpr frames_view(const wring_frame *list, std::size_t count) noexcept
        : list_(list), count_(count) {}
    constexpr frames_view(const frame &one) noexcept : list_(&one), count_(1) {}
    constexpr frames_view(std::initializer_list<frame> frames) noexcept
        : list_(frames.size() == 0 ? nullptr : frames.begin()), count_(frames.size()) {}
    template <std::size_t count>
    constexpr frames_view(const frame (&frames)[count]) noexcept : list_(frames), count_(count) {}
    template <class Range,
              std::enable_if_t<std::is_convertible_v<decltype(std::declval<const Range &>().data()),
                                                     const frame *>,
                               int> = 0>
    frames_view(const Range &frames) noexcept : list_(frames.data()), count_(frames.size()) {}

    [[nodiscard]] constexpr const wring_frame *data() const noexcept { return list_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }

  private:
    const wring_frame *list_;
    std::size_t count_;
};

/** A wring_message: one whole message or control frame that was received. */
class message {
  public:
    constexpr message() noexcept = default;
    constexpr message(const wring_message &given) noexcept : c(given) {}

    [[nodiscard]] constexpr wring_opcode opcode() const noexcept { return c.opcode; }
    [[nodiscard]] constexpr bool is_text() const noexcept { return c.opcode == WRING_TEXT; }
    [[nodiscard]] constexpr bool is_binary() const noexcept { return c.opcode == WRING_BINARY; }
    /** A text or binary message, not a control frame. */
    [[nodiscard]] constexpr bool is_data() const noexcept { return is_text() || is_binary(); }
    [[nodiscard]] constexpr bool is_close() const noexcept { return c.opcode == WRING_CLOSE; }

    /** The payload; of a close frame the reason. Of a text it is valid UTF-8. */
    [[nodiscard]] std::string_view text() const noexcept { return bytes().text(); }
    [[nodiscard]] constexpr bytes_view bytes() const noexcept { return c.payload; }
    /** Of a close frame; WRING_CLOSE_NO_STATUS if it had none. */
    [[nodiscard]] constexpr std::uint16_t close_code() const noexcept { return c.close_code; }

    /** A frame to send that says the same.  @pre is_data() */
    [[nodiscard]] constexpr frame echo() const noexcept { return {c.opcode, c.payload}; }

    [[nodiscard]] constexpr const wring_message &raw() const noexcept { return c; }

  private:
    wring_message c{WRING_TEXT, 0, {nullptr, 0}};
};

WRING_CPP_END

#endif
