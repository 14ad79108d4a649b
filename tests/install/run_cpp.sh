#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run_cpp.sh BUILD_DIR: installs the build and builds and runs outside programs in C++ against it:
# by pkg-config and by find_package, shared and static, both libraries.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$1" --prefix "$prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
libdir=$(dirname "$(find "$prefix" -name libwring.a)")
export LD_LIBRARY_PATH=$libdir PKG_CONFIG_PATH=$libdir/pkgconfig
flags=(-std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

for header in "$here"/../../include/wring/wring.hpp "$here"/../../include/wring/cpp/*.hpp; do
    [ -e "$prefix/include/wring/${header#*/include/wring/}" ] ||
        { echo "$header is not installed"; exit 1; }
done

for pair in wring:echo wring-proto:proto; do
    library=${pair%:*} program=${pair#*:}
    # shellcheck disable=SC2046
    c++ "${flags[@]}" "$here/outside_cpp/$program.cpp" $(pkg-config --cflags --libs "$library") \
        -o "$work/shared"
    "$work/shared"
    echo "pkg-config $library: shared runs"
    # our library from its archive, what it needs from the system
    # shellcheck disable=SC2046
    c++ "${flags[@]}" "$here/outside_cpp/$program.cpp" $(pkg-config --cflags "$library") \
        "$libdir/lib$library.a" $(pkg-config --static --libs "$library" | sed "s/-l$library\b//") \
        -o "$work/static"
    env -u LD_LIBRARY_PATH "$work/static"
    echo "pkg-config $library: static runs"
done

cmake -S "$here/outside_cpp" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
    cmake --build "$work/cmake" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for program in echo proto; do
    "$work/cmake/$program"
    env -u LD_LIBRARY_PATH "$work/cmake/$program-static"
    echo "find_package: $program and $program-static run"
done
