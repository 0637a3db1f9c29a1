#!/bin/sh
# What others say of our files and our interface: the BIDS validator on a phantom cohort and on the export of a run over
# it, an OpenAPI validator on the interface's own description, and schemathesis against a coordinator at work (loopback
# only, with a token). Fails on any error of a validator and on any answer that is not as described.
#
#   EXAMPLES=50 SEED=3 QSMFLOW=.build/debug/qsmflow Benchmarks/peers/standards.sh
set -eu
cd "$(dirname "$0")/../.."

[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Benchmarks/peers/standards-requirements.txt
if [ -z "${QSMFLOW:-}" ]; then
    swift build -c release --product qsmflow
    QSMFLOW=.build/release/qsmflow
fi

unset QSMFLOW_COORDINATOR QSMFLOW_TOKEN PGHOST PGHOSTADDR PGSERVICE PGDATABASE || true
folder=$(mktemp -d)
# The private server drops to an unprivileged user, who must be able to enter.
chmod 755 "$folder"
export QSMFLOW_STATE="$folder/state"
coordinator=""
finish() {
    [ -z "$coordinator" ] || { kill "$coordinator" && wait "$coordinator" || true; }
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "== A run over a small phantom cohort"
"$QSMFLOW" phantom write "$folder/phantom" --subjects 4 --voxel 3 --quiet
"$QSMFLOW" run workflows/subcortical.yaml "$folder/phantom/rawdata" --derivatives "$folder/phantom/derivatives/recon" \
    --atlas "phantom=$folder/phantom/atlas" --set 'model_terms=["age"]' >"$folder/run.log"
"$QSMFLOW" export 1 "$folder/export" --format bids

for dataset in phantom/rawdata phantom/derivatives/recon phantom/derivatives/truth export; do
    echo "== BIDS validator: $dataset"
    .venv/bin/bids-validator-deno "$folder/$dataset" --ignoreWarnings
done

"$QSMFLOW" coordinator --listen 127.0.0.1:0 2>"$folder/coordinator.log" &
coordinator=$!
announcement=$QSMFLOW_STATE/coordinator.json
tries=0
until [ -f "$announcement" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$coordinator"; then
        cat "$folder/coordinator.log" >&2
        exit 1
    fi
    sleep 0.1
done
member() { .venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$announcement" "$1"; }
url=$(member url)
token=$(member token)

echo "== OpenAPI validator"
.venv/bin/python -c 'import sys, urllib.request as web; sys.stdout.buffer.write(web.urlopen(sys.argv[1]).read())' \
    "$url/v1/openapi.json" >"$folder/openapi.json"
.venv/bin/openapi-spec-validator "$folder/openapi.json"

echo "== Schemathesis"
# From a folder of its own: it leaves a cache where it stands.
schemathesis=$PWD/.venv/bin/schemathesis
cd "$folder"
"$schemathesis" run "$url/v1/openapi.json" --header "Authorization: Bearer $token" \
    --phases examples,coverage,fuzzing,stateful --max-examples "${EXAMPLES:-20}" --seed "${SEED:-1}" --no-shrink \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth \
    --request-timeout 40 --continue-on-failure --warnings off
