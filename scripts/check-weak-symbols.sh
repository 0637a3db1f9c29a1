#!/bin/sh
# The hot loops are compiled once per instruction set level. A weak function in one of these builds that does not carry its
# module's name could be merged at link time with the same function of another level, and then run on a processor that
# does not know its instructions. (The emulated tests find only those merges that the linker happened to make.)
#
#   scripts/check-weak-symbols.sh [BUILD...]      default: whichever of .build/debug and .build/release exist
set -u
[ "$(uname -m)" = x86_64 ] || exit 0
found=""
checked=0
for build in ${*:-.build/debug .build/release}; do
    for module in KernelsBase KernelsV3 KernelsV4; do
        for object in "$build/$module.build"/*.o; do
            [ -f "$object" ] || continue
            checked=$((checked + 1))
            # In a Swift symbol the module's name follows its length.
            symbols=$(nm "$object" | awk -v name="${#module}$module" '$(NF - 1) == "W" && !index($NF, name) { print $NF }') || exit 1
            for symbol in $symbols; do
                found=yes
                echo "$object: the weak function $symbol could be merged with that of another instruction set." >&2
            done
        done
    done
done
if [ "$checked" -eq 0 ]; then
    echo "There are no objects of the hot loops to check in ${*:-.build/debug or .build/release}: build first." >&2
    exit 1
fi
[ -z "$found" ] || {
    echo "Write it so that it is inlined, with operators instead of generic functions." >&2
    exit 1
}
