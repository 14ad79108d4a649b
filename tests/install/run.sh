#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD_DIR: installs the build into a prefix that it was not configured for, then builds and
# runs outside programs against it: by pkg-config and by find_package, shared and static, both
# libraries. Then the shared ones again after the whole tree was moved.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

outside_programs() { # PREFIX KIND...
    local prefix=$1 kinds=${*:2} targets="echo proto" libdir library program pair
    libdir=$(dirname "$(find "$prefix" -name libwring.a)")
    export LD_LIBRARY_PATH=$libdir PKG_CONFIG_PATH=$libdir/pkgconfig
    rm -rf "$work/shared" "$work/static" "$work/cmake"
    [ ! -x "$prefix/bin/wring" ] || "$prefix/bin/wring" --version
    for pair in wring:echo wring-proto:proto; do
        library=${pair%:*} program=${pair#*:}
        [ "$(realpath "$(pkg-config --variable=prefix "$library")")" = "$(realpath "$prefix")" ] ||
            { echo "$library.pc names the prefix $(pkg-config --variable=prefix "$library")"; exit 1; }
        cc "$here/outside/$program.c" $(pkg-config --cflags --libs "$library") -o "$work/shared"
        "$work/shared"
        echo "pkg-config $library: shared runs"
        [[ $kinds == *static* ]] || continue
        # our library from its archive, what it needs from the system
        cc "$here/outside/$program.c" $(pkg-config --cflags "$library") "$libdir/lib$library.a" \
            $(pkg-config --static --libs "$library" | sed "s/-l$library\b//") -o "$work/static"
        env -u LD_LIBRARY_PATH "$work/static"
        echo "pkg-config $library: static runs"
    done
    [[ $kinds != *static* ]] || targets="$targets echo-static proto-static"
    cmake -S "$here/outside" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
        cmake --build "$work/cmake" --target $targets >>"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    for program in $targets; do "$work/cmake/$program"; done
    echo "find_package: $targets run"
}

# Records whose older form ends before the fields named: so many that the record is shorter. Those
# without are only made newer.
ages="server.h   wring_server_config   mailbox_items busy_poll_us
      server.h   wring_route           policy
      server.h   wring_server_stats    backend backend_reason
      policy.h   wring_policy          subscriptions_max
      topic.h    wring_topic_rule      message_bytes_max
      handler.h  wring_handler         drained
      config.h   wring_session_config  ping_interval_ms pong_timeout_ms
      deflate.h  wring_deflate_config  compress_turn_bytes
      deflate.h  wring_deflate_stats   rx_interrupted tx_interrupted
      machine.h  wring_machine_config  deflate deflate_params
      embed.h    wring_transport       peername
      embed.h    wring_embed_options   deflate deflate_params
      client.h   wring_client_config   on_handshake_opts
      http.h     wring_request         server
      close.h    wring_end             text
      upgrade.h  wring_upgrade_offer
      upgrade.h  wring_h1_upgrade_info"

header_age() { # AGE HEADER RECORD FIELD...
    local age=$1 header=$work/include/wring/$2 record=$3 body field
    body="/^\(typedef \)\?struct $record {/,/^}/"
    cp "$header" "$work/before"
    if [ "$age" = newer ]; then
        sed -i "$body s/^}/    uint64_t future;\n}/" "$header"
    fi
    for field in ${@:4}; do
        [ "$age" = newer ] || sed -i "$body s/^    [a-z][^;\/]*\b$field\b[^;]*;//" "$header"
    done
    [ $# -eq 3 ] && [ "$age" = older ] || ! cmp -s "$header" "$work/before" ||
        { echo "$record was not made $age"; exit 1; }
}

# Programs that were built with headers older and newer than the library.
other_ages() { # PREFIX
    local prefix=$1 libdir age line
    libdir=$(dirname "$(find "$prefix" -name libwring.a)")
    export LD_LIBRARY_PATH=$libdir
    for age in older newer; do
        rm -rf "$work/include"
        cp -r "$prefix/include" "$work/include"
        while read -r line; do header_age $age $line; done <<<"$ages"
        cc -Wall -Werror "$here/outside/ages.c" -I"$work/include" \
            $([ $age = older ] || echo -DFUTURE=future) -L"$libdir" -lwring -o "$work/$age"
        "$work/$age"
        echo "headers that are $age: runs"
    done
}

cmake --install "$1" --prefix "$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
outside_programs "$work/prefix" shared static
other_ages "$work/prefix"
mkdir "$work/elsewhere"
mv "$work/prefix" "$work/elsewhere/wring"
outside_programs "$work/elsewhere/wring" shared
