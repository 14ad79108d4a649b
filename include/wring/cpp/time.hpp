/* SPDX-License-Identifier: Apache-2.0
 *
 * Times, as the C API takes them, from those of std::chrono.
 */
#ifndef WRING_CPP_TIME_HPP
#define WRING_CPP_TIME_HPP

#include <chrono>

#include "wring/cpp/base.hpp"

WRING_CPP_BEGIN

/** A time to wait, from any duration. Parts of a millisecond count as a whole one, what is negative
 *  as nothing, and what does not fit in 32 bits as some 49 days. */
class milliseconds {
  public:
    template <class Rep, class Period>
    constexpr milliseconds(std::chrono::duration<Rep, Period> time) noexcept
        : ms(rounded(std::chrono::ceil<std::chrono::milliseconds>(time).count())) {}

    [[nodiscard]] constexpr std::uint32_t count() const noexcept { return ms; }

  private:
    static constexpr std::uint32_t longest = WRING_OFF - 1;
    static constexpr std::uint32_t rounded(std::int64_t count) noexcept {
        return count < 0 ? 0 : count > longest ? longest : static_cast<std::uint32_t>(count);
    }
    std::uint32_t ms;
};

/** A moment of the monotonic clock, in nanoseconds: what a program that drives machines and
 *  embedded sessions tells them. From steady_clock, or from a number of its own. */
class moment {
  public:
    constexpr moment(std::uint64_t since_ns) noexcept : ns(since_ns) {}
    moment(std::chrono::steady_clock::time_point at) noexcept
        : ns(static_cast<std::uint64_t>(
              std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch())
                  .count())) {}
    [[nodiscard]] static moment now() noexcept { return std::chrono::steady_clock::now(); }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return ns; }

  private:
    std::uint64_t ns;
};

WRING_CPP_END

#endif
