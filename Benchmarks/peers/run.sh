#!/bin/sh
# The same kernels in SciPy, SimpleITK and others, and the same convolutions in PyTorch and ONNX Runtime, beside ours, in
# one run: JSON lines in Benchmarks/results/kernels.jsonl and networks.jsonl. Then that layers and losses (layer_check.jsonl)
# and whole networks (network_check.jsonl) compute what PyTorch's do; how long networks take and in how much memory
# (whole_networks.jsonl); and networks that others export, in ONNX Runtime (onnx.jsonl). Radiomic features in PyRadiomics
# (radiomics.jsonl) and filters in SciPy and PyWavelets (radiomic_filters.jsonl); metrics in scikit-learn, SimpleITK and
# SciPy (evaluation.jsonl). Last the four methods, trained by both sides on the same people and judged alike
# (method_quality.jsonl). A check that fails does not keep the others from running; the exit status is then 1.
set -eu
status=0
cd "$(dirname "$0")/../.."
[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Benchmarks/peers/requirements.txt \
    -r Benchmarks/peers/networks-requirements.txt -r Benchmarks/peers/onnx-requirements.txt \
    -r Benchmarks/peers/filters-requirements.txt -r Benchmarks/peers/evaluation-requirements.txt
# PyRadiomics wants NumPy 1, and to be built with the packages of its own environment.
[ -d .venv/radiomics ] || python3 -m venv .venv/radiomics
.venv/radiomics/bin/pip install --quiet --disable-pip-version-check "numpy<2" setuptools wheel versioneer cython
.venv/radiomics/bin/pip install --quiet --disable-pip-version-check --no-build-isolation \
    -r Benchmarks/peers/radiomics-requirements.txt
swift build -c release --product qsmflow-benchmarks
swift build -c release --product qsmflow
mkdir -p Benchmarks/results
.venv/bin/python Benchmarks/peers/kernels.py --edge "${EDGE:-256}" --repeats "${REPEATS:-5}" \
    --ours .build/release/qsmflow-benchmarks | tee Benchmarks/results/kernels.jsonl
.venv/bin/python Benchmarks/peers/networks.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/networks.jsonl
checked() { # program, name of its results, of ours, environment
    "${4:-.venv}/bin/python" "Benchmarks/peers/$1.py" --ours ".build/release/$3" > "Benchmarks/results/$2.jsonl" || status=1
    cat "Benchmarks/results/$2.jsonl"
}
checked layer_check layer_check qsmflow-benchmarks
checked network_check network_check qsmflow-benchmarks
.venv/bin/python Benchmarks/peers/whole_networks.py --ours .build/release/qsmflow-benchmarks \
    | tee Benchmarks/results/whole_networks.jsonl
checked onnx_check onnx qsmflow-benchmarks
checked radiomic_features radiomics qsmflow-benchmarks .venv/radiomics
checked radiomic_filters radiomic_filters qsmflow-benchmarks
checked evaluation evaluation qsmflow
checked method_quality method_quality qsmflow
exit "$status"
