#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# everything.cpp compiles with each compiler, standard, and pair of options that people use, and
# each mistake in it that the headers promise to find is found, in words that help.
set -uo pipefail
cd "$(dirname "$0")/../.."
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror)
compilers=(g++)
command -v clang++ >/dev/null && compilers+=(clang++)
status=0
compile() { # compiler and flags ...
    "$@" "${warnings[@]}" -Iinclude -c tests/cpp/everything.cpp -o /dev/null
}
for compiler in "${compilers[@]}"; do
    for standard in 17 20; do
        for rtti in -frtti -fno-rtti; do
            for exceptions in -fexceptions -fno-exceptions; do
                compile "$compiler" -std=c++$standard $rtti $exceptions ||
                    { echo "does not compile: $compiler -std=c++$standard $rtti $exceptions"; status=1; }
            done
        done
    done
done

wrong() { # number, what the compiler has to say
    local said
    if said=$(compile g++ -std=c++17 -DWRONG="$1" 2>&1); then
        echo "mistake $1 compiles"
        status=1
    elif ! grep -q "$2" <<<"$said"; then
        printf 'mistake %s is not told of in the words "%s":\n%s\n' "$1" "$2" "$said"
        status=1
    fi
}
wrong 1 'on_message is called with (wring::session, const wring::message &)'
wrong 2 'ignoring return'
wrong 3 'a state is aligned to 16 at most'
wrong 4 'a callback returns nothing or a wring::verdict'
wrong 5 'a state is made from'
wrong 6 'no matching function\|could not convert\|cannot convert'
wrong 7 'use of deleted function'
wrong 8 'on_body is called with (wring::exchange &, wring::bytes_view, bool)'
wrong 9 'a callback of an exchange returns nothing'
exit $status
