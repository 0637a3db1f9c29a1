#!/bin/sh
# The four published methods on synthetic cohorts that two cores manage: each writes its cohort, trains by folds, judges
# everybody by the network that had not seen them, and writes a report. Cohorts, networks and trainings are smaller than the
# publications'; what comes out shows that the program works and how it is used, and says nothing about a method.
#
#   scripts/methods.sh QSMFLOW FOLDER [METHOD...]          default: subcortical-network deepmir microbleeds qsmrim qnet
#
# Interrupt it whenever you like: the same command goes on where it was.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 QSMFLOW FOLDER [METHOD...]" >&2
    exit 64
fi
qsmflow=$1
folder=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# Colours only where somebody looks.
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '\n%s\n' "$*"; }; fi

# Coordinators and databases of their own.
unset QSMFLOW_COORDINATOR QSMFLOW_TOKEN QSMFLOW_STATE PGHOST PGHOSTADDR PGSERVICE PGDATABASE || true

# cohort FOLDER OPTION...: the table of true values is written last: with it, the cohort is whole.
cohort() {
    where=$1
    shift
    [ -f "$where/derivatives/truth/truth.tsv" ] && return
    rm -rf "$where/rawdata" "$where/derivatives" "$where/atlas"
    "$qsmflow" phantom write "$where" "$@"
}

# method NAME LABELS QUERY SETTING...: the workflow over the cohort of $people, and the figures it ends with.
#   LABELS: the derivative with the labels; QUERY: for the figures, in SQL.
method() {
    name=$1 labels=$2 query=$3 data=$folder/$people
    shift 3
    mkdir -p "$folder/$name"
    start=$(date +%s)
    outcome=0
    "$qsmflow" run "$root/workflows/$name.yaml" "$data/rawdata" --name "$name" --state "$folder/$name/state" \
        --derivatives "$data/derivatives/recon" "$data/derivatives/$labels" --set "$@" || outcome=$?
    # 2: some tasks failed; what the others found is shown all the same.
    [ "$outcome" = 0 ] || [ "$outcome" = 2 ] || exit "$outcome"
    echo "Synthetic cohort: that something is found shows that the program works, and says nothing about the method."
    "$qsmflow" report --state "$folder/$name/state" --output "$folder/$name/report.html"
    "$qsmflow" sql --state "$folder/$name/state" -c "$query" -- --pset footer=off
    echo "$name: $((($(date +%s) - start + 59) / 60)) minutes; report: $folder/$name/report.html"
}

segmentation="
    SELECT label AS structure, round(mean::numeric, 2) AS \"mean Dice\", round(sd::numeric, 2) AS sd, people
    FROM evaluation_summary WHERE metric = 'dice' AND run = (SELECT max(run) FROM runs) ORDER BY mean DESC"
detection="
    SELECT label AS lesions, metric, round(mean::numeric, 2) AS mean, round(sd::numeric, 2) AS sd
    FROM evaluation_summary
    WHERE rule = 'overlap_1' AND metric IN ('sensitivity', 'precision') AND run = (SELECT max(run) FROM runs)
    ORDER BY 1, 2"
classification() {
    echo "
    SELECT step, level, metric, round(value::numeric, 2) AS value,
        round(ci_low::numeric, 2) || ' to ' || round(ci_high::numeric, 2) AS \"95 % interval\"
    FROM classification_metrics
    WHERE $1 AND run = (SELECT max(run) FROM runs) ORDER BY 1, 2, 3"
}

# Both sides of a nucleus are one class: few people teach nine more easily than eighteen.
nuclei=
for nucleus in caudate putamen pallidum thalamus hippocampus amygdala substantia_nigra red_nucleus dentate; do
    nuclei="$nuclei{name: $nucleus, regions: [left_$nucleus, right_$nucleus]}, "
done

[ $# -gt 0 ] || set -- subcortical-network deepmir microbleeds qsmrim qnet
for name; do
    case $name in
    subcortical-network | deepmir | microbleeds | qsmrim | qnet) ;;
    *)
        echo "$0: there is no method $name; there are subcortical-network, deepmir, microbleeds, qsmrim and qnet" >&2
        exit 64 ;;
    esac
done

for name; do
    say "$name"
    people=$name
    case $name in
    subcortical-network)
        cohort "$folder/$name" --study subcortical --subjects 9 --voxel 2.5
        method "$name" labels "$segmentation" folds=3 epochs=30 'train.widths=[16, 32, 64]' 'patch=[48, 48, 48]' \
            "classes=[${nuclei%, }]" 'lateral_pairs=[]' one_piece=false \
            train.learning_rate=0.003 train.foreground_fraction=0.6 ;;
    deepmir)
        cohort "$folder/$name" --study microbleeds --subjects 12 --voxel 2
        # Parts of slices about lesions: whole ones, as published, take thousands of steps.
        method "$name" labels "$detection" folds=3 epochs=16 batch=16 'slice=[64, 64, 1]' \
            'train.widths=[16, 32, 64, 128, 256, 512]' train.samples_per_epoch=640 train.sampling=patches \
            'train.skip_empty=""' train.augmentation=standard 'train.loss=[dice, cross_entropy]' ;;
    microbleeds)
        # The people of deepmir.
        cohort "$folder/deepmir" --study microbleeds --subjects 12 --voxel 2
        people=deepmir
        method "$name" labels "$detection" folds=3 trees=200 ;;
    qsmrim)
        cohort "$folder/$name" --study rim --subjects 15 --voxel 2 --lesions 10 --rims 3 --aligned
        method "$name" labels "$(classification "class = 'rim' AND metric IN ('auc', 'average_precision', 'count_r')")" \
            folds=3 epochs=12 register=false 'spacing_mm=[]' 'patch=[16, 16, 16]' ;;
    qnet)
        cohort "$folder/$name" --study hemochromatosis --subjects 24 --voxel 2.5
        # Nuclei are not drawn by experts here; the truth takes the place of an atlas.
        method "$name" truth "$(classification "class = 'all' AND metric = 'accuracy'")" \
            folds=3 epochs=12 average_from=9 register=false spacing_mm=2.5 'slab=[48, 64, 32]' \
            'labels={bids: {suffix: dseg, desc: nuclei, space: none}}' \
            'label_names={bids: {suffix: dseg, desc: nuclei, extension: .tsv}}' ;;
    esac
done
