#!/bin/sh
# The same kernels in SciPy, SimpleITK and others, and the same convolutions in PyTorch and ONNX Runtime, beside ours, in
# one run: JSON lines in Benchmarks/results/kernels.jsonl and networks.jsonl. Then that layers and losses (layer_check.jsonl)
# and whole networks (network_check.jsonl) compute what PyTorch's do; how long networks take and in how much memory
# (whole_networks.jsonl); and networks that others export, in ONNX Runtime (onnx.jsonl). A check that fails does not keep
# the others from running; the exit status is then 1.
set -eu
status=0
cd "$(dirname "$0")/../.."
[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Benchmarks/peers/requirements.txt \
    -r Benchmarks/peers/networks-requirements.txt -r Benchmarks/peers/onnx-requirements.txt
swift build -c release --product qsmflow-benchmarks
mkdir -p Benchmarks/results
.venv/bin/python Benchmarks/peers/kernels.py --edge "${EDGE:-256}" --repeats "${REPEATS:-5}" \
    --ours .build/release/qsmflow-benchmarks | tee Benchmarks/results/kernels.jsonl
.venv/bin/python Benchmarks/peers/networks.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/networks.jsonl
checked() { # program, name of its results
    .venv/bin/python "Benchmarks/peers/$1.py" --ours .build/release/qsmflow-benchmarks \
        > "Benchmarks/results/$2.jsonl" || status=1
    cat "Benchmarks/results/$2.jsonl"
}
checked layer_check layer_check
checked network_check network_check
.venv/bin/python Benchmarks/peers/whole_networks.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/whole_networks.jsonl
checked onnx_check onnx
exit "$status"
