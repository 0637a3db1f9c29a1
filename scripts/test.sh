#!/bin/sh
# Runs the built tests, one target after the other, so that each has the machine and the test database to itself.
# Tests of processes and servers run one at a time: a starved process looks like a dead one to those that watch it.
# What failed is repeated at the end, since the targets after it print thousands of lines.
set -u
swift=${SWIFT:-swift}
failed=""
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Prints a command's output and keeps it; returns the command's status, which a pipe would lose.
kept() {
    log=$1
    shift
    { "$@" 2>&1; echo $? > "$logs/status"; } | tee "$log"
    return "$(cat "$logs/status")"
}

echo "== weak symbols of the hot loops"
kept "$logs/weak-symbols" scripts/check-weak-symbols.sh || failed="$failed weak-symbols"

for target in Tests/*Tests; do
    name=$(basename "$target")
    case "$name" in
    Worker* | Coordinator* | Postgres* | EndToEnd*) order=--no-parallel ;;
    *) order=--parallel ;;
    esac
    echo "== $name"
    kept "$logs/$name" "$swift" test --skip-build "$order" --filter "^$name\\." "$@" || failed="$failed $name"
done

if [ -n "$failed" ]; then
    {
        for name in $failed; do
            echo "== $name failed"
            # Where no test said why, the process ended: how it ended is in its last lines.
            grep -E '✘|↳|[Ff]atal error|exited with' "$logs/$name" | grep -vE '↳ (Testing Library|Target Platform)' | tail -n 60 | grep . || tail -n 20 "$logs/$name"
        done
        echo "Failed:$failed"
    } >&2
    exit 1
fi
