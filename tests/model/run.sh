#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks tests/model/mailbox.pml with spin, or that each of its mutants is found to be wrong.
#
#     run.sh holds | mutants  WORK_DIRECTORY
set -euo pipefail
model=$(cd "$(dirname "$0")" && pwd)/mailbox.pml
what=$1
work=$2/$what
command -v spin >/dev/null || { echo "spin is not installed: script/setup --tests" >&2; exit 77; }
rm -rf "$work"
mkdir -p "$work"
cd "$work"

# Searches every state. Output: pan's.  search safety|progress [-DNAME=VALUE ...]
search() {
    local kind=$1 flags=-DSAFETY option=()
    shift
    [ "$kind" = progress ] && { flags=-DNP; option=(-l); }
    spin -a "$@" "$model" >spin.out || { cat spin.out >&2; exit 1; }
    "${CC:-cc}" -O2 -w "$flags" -DCOLLAPSE -o pan pan.c
    ./pan -m1000000 "${option[@]}"
}

holds() { # what it is for, then search's arguments
    local title=$1
    shift
    search "$@" >pan.out || { cat pan.out; exit 1; }
    # a search that was cut short shows nothing
    if ! grep -q 'errors: 0' pan.out || grep -qE 'not completed|max search depth too small' pan.out; then
        cat pan.out
        echo "model: $title: does not hold" >&2
        exit 1
    fi
    printf '%-52s %s\n' "$title" "$(grep -o '[0-9]* states, stored' pan.out)"
}

found() { # mutant, its name, kind of search, what the search must complain of
    search "$3" -DMUTANT="$1" -DITEMS="$5" >pan.out || true
    if ! grep -qF "$4" pan.out; then
        cat pan.out
        echo "model: mutant $1 ($2) was not found: expected '$4'" >&2
        exit 1
    fi
    printf 'mutant %2d  %-36s %s\n' "$1" "$2" "$4"
}

lost='assertion violated (received==accepted)'
case $what in
holds)
    holds "two producers, two items each, two cells" safety
    holds "three producers, one item each, two cells" safety -DPRODUCERS=3 -DITEMS=1
    holds "no spinning: two producers, one item each" progress -DITEMS=1
    ;;
mutants)
    found 1 "sleeps without a second look" safety "$lost" 2
    found 2 "second look before the flag" safety "$lost" 2
    found 3 "publication overtaken by the look" safety "$lost" 2
    found 4 "flag overtaken by the second look" safety "$lost" 2
    found 5 "wakes without claiming the flag" safety "assertion violated owed" 2
    found 6 "cell published before it is written" safety "assertion violated ((value>=1)" 2
    found 7 "position claimed in two steps" safety "$lost" 2
    found 8 "cell given back before it is read" safety ">last[((value-1)/2)])" 2
    found 9 "cell in use taken for the next lap" safety "assertion violated (((position+1)-freed)<=2)" 2
    found 10 "looks at the flag, then publishes" safety "$lost" 2
    found 11 "second look at the tail" progress "non-progress cycle" 1
    ;;
*) echo "usage: run.sh holds|mutants WORK_DIRECTORY" >&2; exit 2 ;;
esac
