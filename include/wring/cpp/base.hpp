/* SPDX-License-Identifier: Apache-2.0
 *
 * What every header of the C++ layer begins with: the namespace, whether there are exceptions, and
 * how records of the C API are made. Included by the other headers.
 */
#ifndef WRING_CPP_BASE_HPP
#define WRING_CPP_BASE_HPP

#include <cassert>
#include <cstdint>
#include <type_traits>

#include "wring/config.h"

#if __cplusplus < 201703L
#error "wring's C++ headers need C++17"
#endif

/* Files of one program may be compiled with and without -fno-exceptions: what they inline has
 * different names then, so that no function without a catch takes the place of one that has it. */
#if defined(__cpp_exceptions)
#define WRING_CPP_EXCEPTIONS 1
#define WRING_CPP_ABI        with_exceptions
#else
#define WRING_CPP_EXCEPTIONS 0
#define WRING_CPP_ABI        without_exceptions
#endif

#define WRING_CPP_BEGIN                                                                            \
    namespace wring {                                                                              \
    inline namespace WRING_CPP_ABI {
#define WRING_CPP_END                                                                              \
    }                                                                                              \
    }

WRING_CPP_BEGIN

/** A record of the C API (wring/config.h): every field 0, which is the default, and `struct_size`
 *  set.  Example: auto config = wring::record<wring_pool_config>(); */
template <class Record> [[nodiscard]] constexpr Record record() noexcept {
    Record made{};
    made.struct_size = static_cast<std::uint32_t>(sizeof(Record));
    return made;
}

namespace detail {

/** Its address stands for the type. */
template <class T> inline constexpr char type_mark = 0;

} // namespace detail

WRING_CPP_END

#endif
