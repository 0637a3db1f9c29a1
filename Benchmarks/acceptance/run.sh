#!/bin/sh
# The four workflows on semi-synthetic cohorts, against what is expected of them: JSON lines in
# Benchmarks/results/acceptance.jsonl. Two cores take hours; cohorts and runs are kept in FOLDER (some 12 GB), and
# what is there is used again. Arguments are names of runs: qnet, deepmir-both, …; without any all run.
set -eu
cd "$(dirname "$0")/../.."
folder=${FOLDER:-acceptance}
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Benchmarks/acceptance/requirements.txt
swift build -c release --product qsmflow
mkdir -p Benchmarks/results
.venv/bin/python Benchmarks/acceptance/acceptance.py --ours .build/release/qsmflow --folder "$folder" \
    --results Benchmarks/results/acceptance.jsonl ${1:+--only "$@"}
