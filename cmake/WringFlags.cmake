# SPDX-License-Identifier: Apache-2.0
#
# Warnings, hardening, sanitizers and link-time optimisation: `wring_flags` carries what every
# target of this project is compiled with; nothing of it reaches programs that link the library.
include(CheckCCompilerFlag)
include(CheckIPOSupported)

add_library(wring_flags INTERFACE)
target_compile_definitions(wring_flags INTERFACE _GNU_SOURCE)
target_include_directories(wring_flags INTERFACE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
target_compile_options(wring_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef
    -Wpointer-arith -Wvla -Werror -fno-strict-aliasing -fno-common)

if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT WRING_SANITIZE)
    string(REPLACE "-O2" "-O3" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
    target_compile_options(wring_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
    # clang 14 wants a second flag with it.
    check_c_compiler_flag(-ftrivial-auto-var-init=zero WRING_HAS_AUTO_VAR_INIT)
    if(WRING_HAS_AUTO_VAR_INIT)
        target_compile_options(wring_flags INTERFACE -ftrivial-auto-var-init=zero)
    endif()
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
        target_compile_options(wring_flags INTERFACE -fcf-protection=full)
        # clang 14 knows stack clash protection on x86-64 only.
        target_compile_options(wring_flags INTERFACE -fstack-clash-protection)
    endif()
    target_link_options(wring_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
    check_ipo_supported(RESULT WRING_IPO OUTPUT WRING_IPO_WHY LANGUAGES C)
    # With fat objects the static libraries stay usable by other compilers; clang 14 has none.
    if(WRING_IPO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
        target_compile_options(wring_flags INTERFACE -ffat-lto-objects)
    endif()
else()
    target_compile_definitions(wring_flags INTERFACE WRING_DEBUG=1)
    target_compile_options(wring_flags INTERFACE -g -fno-omit-frame-pointer)
endif()

if(WRING_SANITIZE)
    target_compile_options(wring_flags INTERFACE
        -fsanitize=${WRING_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(wring_flags INTERFACE -fsanitize=${WRING_SANITIZE})
endif()
