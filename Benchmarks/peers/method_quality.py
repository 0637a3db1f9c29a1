#!/usr/bin/env python3
"""The four methods trained by us and in PyTorch, side by side: the same architecture, people, folds, samples per epoch,
loss, optimiser, schedule and epochs; then both sides' predictions of the people held out, judged by the same lines.

Each method is a workflow of ours, cross-validated over a small phantom cohort (quality_methods.py). From its run come the
folds, the split into people trained on and people judged by, and the model cards, which state everything that decides a
training. Samples are mirrored at random and changed in no other way, on both sides.

PyTorch trains twice: "same" begins with the weights that ours begins with and sees the same samples in the same order, so
that only rounding parts the two, magnified by the training; "own" draws weights and samples by itself, from the same
distributions. How far "same" and "own" lie apart is what chance alone makes of a training.

One line of JSON per measure: means over people with their standard errors, the difference and the standard error of the
paired difference over people and over folds. Sides agree where the difference is within the smaller of the standard errors
of the two means; the exit status is 1 where they do not with the same draws. With its own it decides nothing, since that
error is one of people and holds nothing of what chance makes of a training. One line per method: time of all trainings, on
the same number of threads, with the reading of images and the judging after every epoch; and the loss of the first epoch of
every fold. Where the draws are the same, that has to be equal to a thousandth: later losses part by what a training makes of
rounding, but another loss, decay or order of samples would show in the first epoch.

With synthetic cohorts this small no figure says how good a method is: only whether both sides do the same.
"""
import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from paired_quality import compared, dice, pseudo_values, roc_auc
from philox import OwnDraws, SameDraws
from qsmflow_run import QsmflowRun, table
from quality_methods import METHODS, Method
from quality_peer import FoldResult, QualityPeer
from training_images import read

DRAWS = {"same": SameDraws, "own": OwnDraws}
# Relative difference of the losses of a first epoch that rounding may make.
FIRST_LOSS = 1e-3


def our_results(run: QsmflowRun) -> FoldResult:
    """What ours says of everybody who was in a fold."""
    result, method = FoldResult(), run.method
    for person in run.folds:
        if method.segments:
            result.labels[person] = read(run.made(method.apply, "labels", subject=person))[0].astype(np.uint8)
            continue
        # The positive class is the last.
        for row in table(run.made(method.apply, "table", subject=person)):
            lesion = 0 if row["lesion"] == "n/a" else int(row["lesion"])
            result.probabilities[person, lesion] = float(list(row.values())[-1])
        if method.judges_slices:
            for row in table(run.made(method.apply, "slices", subject=person)):
                result.slices[person, int(row["slice"])] = float(list(row.values())[-1])
    return result


def truth_of_voxels(run: QsmflowRun) -> dict[str, np.ndarray]:
    """Class of every voxel, from the label maps that trainings read."""
    numbers = np.zeros(1 << 16, np.uint8)
    for number, one in enumerate(run.method.classes, 1):
        numbers[one["labels"]] = number
    found = {}
    for fold in set(run.folds.values()):
        for session in run.sessions(run.method.train, fold=fold):
            if session.subject not in found:
                found[session.subject] = numbers[read(session.files["labels"])[0].astype(np.uint16)]
    return found


def truth_of_places(peers: list[QualityPeer]) -> dict[tuple[str, int], bool]:
    found = {}
    for peer in peers:
        places = peer.places(peer.training + peer.validation)
        found |= {(place.subject, place.lesion): place.target == len(peer.card["classes"]) - 1 for place in places}
    return found


def segmentation_measures(run: QsmflowRun, sides: list[FoldResult]) -> dict[str, list[dict[str, float]]]:
    """By measure for each side one value per person."""
    truth = truth_of_voxels(run)
    names = [one["name"] for one in run.method.classes]
    each = {name: [{}, {}] for name in ["all classes together", *names]}
    for person, expected in truth.items():
        for side, result in enumerate(sides):
            found = result.labels[person]
            values = {"all classes together": dice(found > 0, expected > 0)}
            values |= {name: dice(found == n, expected == n) for n, name in enumerate(names, 1)}
            for name, value in values.items():
                if value is not None:
                    each[name][side][person] = value
    means = [
        {person: float(np.mean([each[name][side][person] for name in names if person in each[name][side]]))
         for person in each["all classes together"][side]} for side in (0, 1)]
    return {"Dice, mean over classes": means} | {f"Dice, {name}": values for name, values in each.items()}


def classification_measures(truth: dict, sides: list[FoldResult]) -> dict[str, list[dict[str, float]]]:
    places = probability_measures([result.probabilities for result in sides], truth)
    if not sides[0].slices:
        return places
    # Ours judges the slices that meet a region; all of a person are of the person's class.
    of_slices = {key: truth[key[0], 0] for key in sides[0].slices if (key[0], 0) in truth}
    slices = probability_measures([result.slices for result in sides], of_slices)
    return {f"{measure}, scans": values for measure, values in places.items()} | {
        f"{measure}, slices": values for measure, values in slices.items()}


def probability_measures(sides: list[dict], truth: dict) -> dict[str, list[dict[str, float]]]:
    keys = sorted(key for key in sides[0] if key in truth)
    people, positive = np.array([person for person, _ in keys]), np.array([truth[key] for key in keys])
    measures = {"ROC AUC": [], "accuracy": [], "Brier score": []}
    for probabilities in sides:
        scores = np.array([probabilities[key] for key in keys])
        measures["ROC AUC"].append(pseudo_values(roc_auc, scores, positive, people))
        for name, values in (("accuracy", (scores >= 0.5) == positive), ("Brier score", (scores - positive) ** 2)):
            measures[name].append({person: float(values[people == person].mean()) for person in set(people.tolist())})
    return measures


def compare(method: Method, options: argparse.Namespace, folder: Path) -> bool:
    run = QsmflowRun(options.ours, folder, method, options.threads)
    ours, agrees = our_results(run), True
    seconds, cpu_seconds = run.training_seconds()
    for draws in options.draws:
        folds = sorted(set(run.folds.values()))
        peers = [QualityPeer(run, fold, DRAWS[draws]) for fold in folds]
        theirs, losses = FoldResult(), []
        for peer in peers:
            result = peer.result()
            theirs.labels |= result.labels
            theirs.probabilities |= result.probabilities
            theirs.slices |= result.slices
            theirs.seconds += result.seconds
            theirs.cpu_seconds += result.cpu_seconds
            losses.append([float(run.curve(peer.fold)[0]["training_loss"]), result.trained.training_losses[0]])
        if method.segments:
            measures = segmentation_measures(run, [ours, theirs])
        else:
            measures = classification_measures(truth_of_places(peers), [ours, theirs])
        line = {"method": method.name, "draws": draws}
        for measure, (a, b) in measures.items():
            found = compared(a, b, run.folds)
            agrees &= draws != "same" or found["agrees"] is not False
            print(json.dumps(line | {"measure": measure} | rounded(found)), flush=True)
        card = peers[0].card
        parameters = sum(
            value.numel() for name, value in peers[0].network.parameters(torch.Generator()).items() if "running_" not in name)
        if draws == "same":
            agrees &= all(abs(a - b) <= FIRST_LOSS * abs(b) for a, b in losses)
        print(json.dumps(line | {
            "people": len(run.folds), "folds": len(folds), "architecture": card["architecture"], "parameters": parameters,
            "epochs": peers[0].settings["epochs"], "augmentation": "flips", "threads": options.threads,
            "training_seconds": rounded({"qsmflow": seconds, "pytorch": theirs.seconds}),
            "ratio": round(theirs.seconds / seconds, 2),
            "cpu_seconds": rounded({"qsmflow": cpu_seconds, "pytorch": theirs.cpu_seconds}),
            "first_losses": [rounded({"qsmflow": a, "pytorch": b}) for a, b in losses]}), flush=True)
    return agrees


def rounded(values: dict) -> dict:
    return {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the program qsmflow")
    parser.add_argument("--methods", nargs="+", default=[method.name for method in METHODS])
    parser.add_argument("--draws", nargs="+", choices=list(DRAWS), default=list(DRAWS))
    parser.add_argument("--threads", type=int, choices=[1, 2], default=2)
    parser.add_argument("--subjects", type=int, help="people in every cohort")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--folder", type=Path, help="where cohorts and runs are kept and, where they are, used again")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    agrees = True
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        for method in METHODS:
            if method.name not in options.methods:
                continue
            changed = dataclasses.replace(
                method,
                phantom=method.phantom | ({"subjects": options.subjects} if options.subjects else {}),
                settings=method.settings | ({"epochs": options.epochs} if options.epochs else {}))
            agrees &= compare(changed, options, (options.folder or Path(place)).resolve() / method.name)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
