#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every public header compiles alone as C11 and as C++17 (.hpp: as C++17), with both compilers; every
# private header compiles alone as this project compiles.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
try() { # header, compiler and flags ...
    local header=$1
    shift
    printf '#include "%s"\nextern int one;\n' "$header" | "$@" -Iinclude -I. -Wall -Wextra -Werror -fsyntax-only - || {
        echo "$header does not compile alone: $*"
        status=1
    }
}
compilers=(gcc)
command -v clang >/dev/null && compilers+=(clang)
for header in include/wring/*.h; do
    for compiler in "${compilers[@]}"; do
        try "wring/${header##*/}" "$compiler" -std=c11 -pedantic -xc
        try "wring/${header##*/}" "$compiler" -std=c++17 -pedantic -xc++
    done
done
for header in include/wring/*.hpp include/wring/cpp/*.hpp; do
    command -v c++ >/dev/null || break
    for compiler in "${compilers[@]}"; do
        try "${header#include/}" "$compiler" -std=c++17 -pedantic -xc++
    done
done
for header in core/*.h proto/*.h io/*.h server/*.h client/*.h cli/*.h; do
    [ -e "$header" ] || continue
    try "$header" gcc -std=gnu17 -D_GNU_SOURCE -xc
done
exit $status
