#!/bin/sh
# The compute half's tests on processors that this machine does not have: one without AVX (the baseline build of the hot
# loops) and one with AVX2 but no AVX-512, both by QEMU's user-mode emulation. A build for a newer processor that leaked
# into an older one's path dies here with an illegal instruction.
#
#   scripts/test-emulated.sh [CPU...]      default: Nehalem Haswell; needs `swift build --build-tests` before
set -u
[ "$(uname -m)" = x86_64 ] || { echo "The instruction set levels are those of x86-64; nothing to emulate here." >&2; exit 0; }
tests=$(ls -d .build/debug/*PackageTests.xctest)
failed=""
for cpu in ${*:-Nehalem Haswell}; do
    for name in KernelsTests NetworksTests ONNXTests RegistrationTests ImagingTests RadiomicsTests StatisticsTests PhantomTests TasksTests; do
        echo "== $name on $cpu"
        qemu-x86_64 -cpu "$cpu" "$tests" --testing-library swift-testing --filter "^$name\\." ||
            failed="$failed $name/$cpu"
    done
done
if [ -n "$failed" ]; then
    echo "Failed:$failed" >&2
    exit 1
fi
