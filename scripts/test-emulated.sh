#!/bin/sh
# The compute half's tests on processors that this machine does not have: one without AVX (the baseline build of the hot
# loops) and one with AVX2 but no AVX-512, both by QEMU's user-mode emulation. A build for a newer processor that leaked
# into an older one's path dies here with an illegal instruction.
#
#   scripts/test-emulated.sh [CPU...]                              default: Nehalem Haswell, at the same time
#   SUITES="PhantomTests TasksTests.RealLesionTests" scripts/test-emulated.sh      some of them, whole or in part
#
# Needs `swift build --build-tests` before. Takes one to four hours, Haswell three times as long as Nehalem; what each suite
# says is in .build/emulated.
set -u
[ "$(uname -m)" = x86_64 ] || { echo "The instruction set levels are those of x86-64; nothing to emulate here." >&2; exit 0; }
suites=${SUITES:-KernelsTests NetworksTests ONNXTests RegistrationTests ImagingTests RadiomicsTests StatisticsTests PhantomTests TasksTests}
folder=.build/emulated
rm -rf "$folder"
mkdir -p "$folder"
# A copy, so that a build meanwhile disturbs nothing.
cp -L .build/debug/*PackageTests.xctest "$folder/tests.xctest" || exit 1

emulate() {
    for name in $suites; do
        log=$folder/$1-$name.log
        start=$(date +%s)
        if qemu-x86_64 -cpu "$1" "$folder/tests.xctest" --testing-library swift-testing --filter "^$name[./]" >"$log" 2>&1; then
            verdict=passed
        else
            verdict=FAILED
            echo "$name/$1" >>"$folder/failed"
        fi
        echo "$1 $name: $verdict after $(($(date +%s) - start)) s: $(grep 'Test run with' "$log" | tail -1)"
    done
}

for cpu in ${*:-Nehalem Haswell}; do emulate "$cpu" & done
wait
if [ -e "$folder/failed" ]; then
    echo "Failed: $(tr '\n' ' ' <"$folder/failed")(logs in $folder)" >&2
    exit 1
fi
