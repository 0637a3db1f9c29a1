#!/bin/sh
# The same kernels in SciPy, SimpleITK and others, and the same convolutions in PyTorch and ONNX Runtime, beside ours, in
# one run: JSON lines in Benchmarks/results/kernels.jsonl and networks.jsonl. Then whole networks: that both compute the
# same (network_check.jsonl), and how long and in how much memory (whole_networks.jsonl); and networks that others export, in
# ONNX Runtime (onnx.jsonl).
set -eu
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
.venv/bin/python Benchmarks/peers/network_check.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/network_check.jsonl
.venv/bin/python Benchmarks/peers/whole_networks.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/whole_networks.jsonl
.venv/bin/python Benchmarks/peers/onnx_check.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/onnx.jsonl
