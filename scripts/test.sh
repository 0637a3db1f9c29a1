#!/bin/sh
# Runs the built tests, one target after the other, so that each has the machine and the test database to itself.
# Tests of processes and servers run one at a time: a starved process looks like a dead one to those that watch it.
set -u
swift=${SWIFT:-swift}
failed=""

echo "== weak symbols of the hot loops"
scripts/check-weak-symbols.sh || failed="$failed weak-symbols"

for target in Tests/*Tests; do
    name=$(basename "$target")
    case "$name" in
    Worker* | Coordinator* | Postgres* | EndToEnd*) order=--no-parallel ;;
    *) order=--parallel ;;
    esac
    echo "== $name"
    "$swift" test --skip-build "$order" --filter "^$name\\." "$@" || failed="$failed $name"
done

if [ -n "$failed" ]; then
    echo "Failed:$failed" >&2
    exit 1
fi
