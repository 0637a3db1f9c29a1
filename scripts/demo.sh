#!/bin/sh
# The whole of qsmflow on a synthetic cohort: write it, run the standard workflow over it, compare what was recovered
# with the truth, show the group result, and say where the report and the database are.
#
#   scripts/demo.sh QSMFLOW FOLDER SUBJECTS
#
# Interrupt it whenever you like: the same command goes on where it was.
set -eu

if [ $# -ne 3 ]; then
    echo "usage: $0 QSMFLOW FOLDER SUBJECTS" >&2
    exit 64
fi
qsmflow=$1
folder=$2
subjects=$3
root=$(cd "$(dirname "$0")/.." && pwd)
state=$folder/state

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# Colours only where somebody looks.
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '\n%s\n' "$*"; }; fi

# The demo is about a coordinator and a database of its own.
unset QSMFLOW_COORDINATOR QSMFLOW_TOKEN QSMFLOW_STATE PGHOST PGHOSTADDR PGSERVICE PGDATABASE || true

# The table of true values is written last: with it, the cohort is whole.
if [ ! -f "$folder/derivatives/truth/truth.tsv" ]; then
    say "1. A synthetic cohort of $subjects people with known susceptibility"
    rm -rf "$folder/rawdata" "$folder/derivatives" "$folder/atlas"
    "$qsmflow" phantom write "$folder" --subjects "$subjects"
else
    say "1. The synthetic cohort is there already: $folder"
fi

say "2. The standard workflow: brain mask, registration, regions, statistics, model"
outcome=0
"$qsmflow" run "$root/workflows/subcortical.yaml" "$folder/rawdata" --name demo \
    --derivatives "$folder/derivatives/recon" --atlas "phantom=$folder/atlas" --state "$state" || outcome=$?
# 2: some tasks failed; what the others found is shown all the same.
[ "$outcome" = 0 ] || [ "$outcome" = 2 ] || exit "$outcome"

say "3. Recovered against true susceptibility in the deep nuclei"
accurate=yes
"$qsmflow" phantom compare "$folder" --state "$state" --below 3 || accurate=no

say "4. Group difference (hemochromatosis − control, against the whole brain; chosen when the cohort was made)"
"$qsmflow" sql --state "$state" -c "
    SELECT region, round((estimate * 1000)::numeric, 1) AS \"difference ppb\",
        round((ci_low * 1000)::numeric, 1) || ' to ' || round((ci_high * 1000)::numeric, 1) AS \"95 % interval\",
        to_char(p, '0.0000') AS p, to_char(q, '0.0000') AS q, subjects AS people
    FROM cohort_effects
    WHERE run = (SELECT max(run) FROM runs) AND term LIKE 'group%' AND unit = 'ppm'
    ORDER BY cohort_effects.p LIMIT 10" -- --pset footer=off

say "5. Where things are"
"$qsmflow" report --state "$state" --output "$folder/report.html"
run=$("$qsmflow" sql --state "$state" -c 'SELECT max(run) FROM runs' -- --no-align --tuples-only)
cat <<EOF
database: $qsmflow sql --state $state          (SELECT * FROM documentation explains every view)
results:  $qsmflow results --state $state roi_statistics
export:   $qsmflow export $run FOLDER/qsmflow --state $state
EOF

# Everything has been shown; a demo whose numbers are wrong has failed all the same.
[ "$accurate" = yes ]
