/* SPDX-License-Identifier: Apache-2.0
 *
 * Views of bytes. They own nothing and copy nothing: a view is good for as long as what it was made
 * from. What the library is given as a view it has copied when the call returns, unless the
 * function says otherwise. Views that a callback is given are good until the callback returns.
 *
 * Thread: any. Cost: a pointer and a length.
 */
#ifndef WRING_CPP_BYTES_HPP
#define WRING_CPP_BYTES_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wring/bytes.h"
#include "wring/cpp/base.hpp"

WRING_CPP_BEGIN

namespace detail {

template <class T>
inline constexpr bool is_byte =
    std::is_same_v<std::remove_cv_t<T>, char> || std::is_same_v<std::remove_cv_t<T>, signed char> ||
    std::is_same_v<std::remove_cv_t<T>, unsigned char> ||
    std::is_same_v<std::remove_cv_t<T>, std::byte>;

template <class T, class = void> inline constexpr bool is_byte_range = false;
/** Has data() and size(), and data() points to bytes: strings, vectors, arrays, spans. */
template <class T>
inline constexpr bool is_byte_range<
    T, std::void_t<decltype(std::declval<T &>().data()), decltype(std::declval<T &>().size())>> =
    std::is_pointer_v<decltype(std::declval<T &>().data())>
        &&is_byte<std::remove_pointer_t<decltype(std::declval<T &>().data())>>;

} // namespace detail

/** Read-only bytes of somebody else's. From std::string_view, std::string, std::vector, std::array
 *  and std::span of char, unsigned char or std::byte, from arrays of unsigned char or std::byte,
 *  and from a C string. */
class bytes_view {
  public:
    constexpr bytes_view() noexcept = default;
    constexpr bytes_view(wring_bytes bytes) noexcept : view(bytes) {}
    bytes_view(const void *data, std::size_t size) noexcept
        : view{static_cast<const std::uint8_t *>(data), size} {}
    /** A C string, without its NUL; a literal, too. nullptr gives an empty view. */
    bytes_view(const char *text) noexcept : view(wring_str(text)) {}
    template <class Range, std::enable_if_t<detail::is_byte_range<const Range>, int> = 0>
    bytes_view(const Range &range) noexcept : bytes_view(range.data(), range.size()) {}
    template <class Byte, std::size_t count,
              std::enable_if_t<
                  detail::is_byte<Byte> && !std::is_same_v<std::remove_cv_t<Byte>, char>, int> = 0>
    bytes_view(Byte (&array)[count]) noexcept
        : bytes_view(static_cast<const void *>(array), count) {}

    [[nodiscard]] constexpr const std::uint8_t *data() const noexcept { return view.data; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return view.len; }
    [[nodiscard]] constexpr bool empty() const noexcept { return view.len == 0; }
    [[nodiscard]] constexpr const std::uint8_t *begin() const noexcept { return view.data; }
    [[nodiscard]] constexpr const std::uint8_t *end() const noexcept {
        return view.data + view.len;
    }
    /** @param at  less than size() */
    constexpr std::uint8_t operator[](std::size_t at) const noexcept { return view.data[at]; }

    /** A part. What reaches beyond the end is cut off. */
    [[nodiscard]] constexpr bytes_view part(std::size_t from,
                                            std::size_t count = SIZE_MAX) const noexcept {
        const std::size_t begin = from < view.len ? from : view.len;
        const std::size_t left = view.len - begin;
        return wring_bytes{view.data + begin, count < left ? count : left};
    }

    /** The same bytes as characters, borrowed from the same place. */
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char *>(view.data), view.len};
    }
    /** A copy. */
    [[nodiscard]] std::string to_string() const { return std::string(text()); }
    /** A copy. */
    [[nodiscard]] std::vector<std::uint8_t> to_vector() const { return {begin(), end()}; }

    constexpr operator wring_bytes() const noexcept { return view; }

    friend bool operator==(bytes_view a, bytes_view b) noexcept {
        return wring_bytes_equal(a.view, b.view);
    }
    friend bool operator!=(bytes_view a, bytes_view b) noexcept { return !(a == b); }

  private:
    wring_bytes view{nullptr, 0};
};

/** Bytes that the library may write to: received ones are unmasked in place. From std::vector,
 *  std::array and std::span of unsigned char or std::byte, and from arrays of these. */
class mut_bytes_view {
  public:
    constexpr mut_bytes_view() noexcept = default;
    constexpr mut_bytes_view(wring_mut_bytes bytes) noexcept : view(bytes) {}
    mut_bytes_view(void *data, std::size_t size) noexcept
        : view{static_cast<std::uint8_t *>(data), size} {}
    template <class Range, std::enable_if_t<detail::is_byte_range<Range> &&
                                                !std::is_const_v<std::remove_pointer_t<
                                                    decltype(std::declval<Range &>().data())>>,
                                            int> = 0>
    mut_bytes_view(Range &&range) noexcept : mut_bytes_view(range.data(), range.size()) {}
    template <class Byte, std::size_t count,
              std::enable_if_t<detail::is_byte<Byte> && !std::is_const_v<Byte>, int> = 0>
    mut_bytes_view(Byte (&array)[count]) noexcept
        : mut_bytes_view(static_cast<void *>(array), count) {}

    [[nodiscard]] constexpr std::uint8_t *data() const noexcept { return view.data; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return view.len; }
    constexpr operator wring_mut_bytes() const noexcept { return view; }

  private:
    wring_mut_bytes view{nullptr, 0};
};

/** A NUL-terminated string of somebody else's, for what the C API takes as one: names, paths, URLs.
 *  From a literal, a pointer or a std::string. */
class c_string {
  public:
    constexpr c_string(const char *text) noexcept : pointer(text) {}
    c_string(const std::string &text) noexcept : pointer(text.c_str()) {}
    constexpr operator const char *() const noexcept { return pointer; }

  private:
    const char *pointer;
};

/** A peer's text, made fit for terminals and logs (wring_text_printable). */
[[nodiscard]] inline std::string printable(bytes_view text) {
    std::string out(text.size() * 4 + 1, '\0');
    out.resize(wring_text_printable(text, out.data(), out.size()));
    return out;
}

WRING_CPP_END

#endif
