#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the kernels for aarch64 and compares NEON with scalar under qemu. 77 is a skip.
set -eu
source_dir=$1
out=$2/kernels-aarch64
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
cd "$source_dir"
$cc -std=gnu17 -O2 -D_GNU_SOURCE -DWRING_DEBUG=1 -Wall -Wextra -Wshadow -Wconversion -Wundef -Werror \
    -fno-strict-aliasing -Iinclude -I. -o "$out" \
    core/base.c core/cpu.c proto/kernels.c proto/kernels_scalar.c proto/kernels_neon.c \
    tests/unit/proto/kernels_compare.c tests/unit/proto/aarch64/main.c
qemu-aarch64 -L /usr/aarch64-linux-gnu "$out"
