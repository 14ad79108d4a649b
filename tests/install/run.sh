#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD_DIR: installs the build into an empty prefix, then builds and runs outside programs
# against it: by pkg-config and by find_package, shared and static, both libraries.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$1" --prefix "$prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
libdir=$(dirname "$(find "$prefix" -name libwring.a)")
# The prefix of a relocated install: the .pc files carry the configured one.
pc() { PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --define-variable=prefix="$prefix" "$@"; }
export LD_LIBRARY_PATH=$libdir
[ -x "$prefix/bin/wring" ] && "$prefix/bin/wring" --version

for pair in wring:echo wring-proto:proto; do
    library=${pair%:*} program=${pair#*:}
    cc "$here/outside/$program.c" $(pc --cflags --libs "$library") -o "$work/shared"
    "$work/shared"
    # our library from its archive, what it needs from the system
    cc "$here/outside/$program.c" $(pc --cflags "$library") "$libdir/lib$library.a" \
        $(pc --static --libs "$library" | sed "s/-l$library\b//") -o "$work/static"
    env -u LD_LIBRARY_PATH "$work/static"
    echo "pkg-config $library: shared and static run"
done
if compgen -G "$libdir/cmake" >/dev/null; then
    cmake -S "$here/outside" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
        cmake --build "$work/cmake" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    for program in echo echo-static proto proto-static; do "$work/cmake/$program"; done
    echo "find_package: all four run"
fi
