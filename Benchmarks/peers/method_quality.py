#!/usr/bin/env python3
"""The four methods trained by us and in PyTorch, side by side: the same architecture, people, folds, samples per epoch,
loss, optimiser, schedule and epochs; then both sides' predictions of the people held out, judged by the same lines.

Each method is a workflow of ours, cross-validated over a small phantom cohort (quality_methods.py). From its run come the
folds, the split into people trained on and people judged by, and the model cards, which state everything that decides a
training. Samples are mirrored at random and changed in no other way, on both sides.

PyTorch begins with the weights that ours begins with and sees the same samples in the same order, so that only rounding
parts the two. A training magnifies rounding, in deep networks by orders of magnitude: PyTorch alone, begun with weights that
differ by a millionth, ends elsewhere. So it trains several times, with weights changed by as little as the two sides round
differently (quality_peer.py), and ours is held against the mean and the scatter of these.

One line of JSON per measure: means over people with their standard errors, the scatter of PyTorch's trainings, the difference
and the standard error of the paired difference over people and over folds. Sides agree where the difference is within one
standard error, the smaller of the two means' and that of rounding, and where ours is one of PyTorch's trainings by its 99 %
prediction interval or nearer than .01. One line per method: mean time of a training of all folds, on the same number of
threads, with the reading of images and the judging after every epoch; and the loss of the first epoch of every fold, where
another loss, decay or order of samples would show: it has to be equal to a thousandth, or within what rounding makes of
PyTorch's (99 %) and a hundredth. The exit status is 1 where anything does not agree.

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

from paired_quality import compared, dice, is_one_of, pseudo_values, roc_auc, scatter
from qsmflow_run import QsmflowRun, table
from quality_methods import METHODS, Method
from quality_peer import FoldResult, QualityPeer
from training_images import read

# Relative difference of the losses of a first epoch that is always allowed, and that never is.
FIRST_LOSS = 1e-3, 1e-2


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
    each = {name: [{} for _ in sides] for name in ["all classes together", *names]}
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
         for person in each["all classes together"][side]} for side in range(len(sides))]
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


def their_results(peers: list[QualityPeer], rounding: int) -> tuple[FoldResult, list[float]]:
    """What PyTorch says of everybody who was in a fold, and the losses of the folds' first epochs."""
    found, losses = FoldResult(), []
    for peer in peers:
        result = peer.result(rounding)
        found.labels |= result.labels
        found.probabilities |= result.probabilities
        found.slices |= result.slices
        found.seconds += result.seconds
        found.cpu_seconds += result.cpu_seconds
        losses.append(result.trained.training_losses[0])
    return found, losses


def compare(method: Method, options: argparse.Namespace, folder: Path) -> bool:
    run = QsmflowRun(options.ours, folder, method, options.threads)
    ours, agrees, line = our_results(run), True, {"method": method.name}
    peers = [QualityPeer(run, fold) for fold in sorted(set(run.folds.values()))]
    theirs, first_losses = zip(*(their_results(peers, rounding) for rounding in range(options.trainings)))
    if method.segments:
        measures = segmentation_measures(run, [ours, *theirs])
    else:
        measures = classification_measures(truth_of_places(peers), [ours, *theirs])
    for measure, (a, *b) in measures.items():
        found = compared(a, b, run.folds)
        agrees &= found["agrees"] is not False
        print(json.dumps(line | {"measure": measure} | rounded(found)), flush=True)
    losses = []
    for peer, values in zip(peers, np.array(first_losses).T):
        own = float(run.curve(peer.fold)[0]["training_loss"])
        one = {"qsmflow": own, "pytorch": float(values.mean()), "pytorch_sd_of_rounding": scatter(values)}
        least, most = (share * float(values.mean()) for share in FIRST_LOSS)
        losses.append(rounded(one | {"agrees": is_one_of(own, values, least, most)}))
    agrees &= all(one["agrees"] for one in losses)
    card = peers[0].card
    parameters = sum(
        value.numel() for name, value in peers[0].network.parameters(torch.Generator()).items() if "running_" not in name)
    seconds, cpu_seconds = run.training_seconds()
    their_seconds = sum(one.seconds for one in theirs) / len(theirs)
    print(json.dumps(line | {
        "people": len(run.folds), "folds": len(peers), "pytorch_trainings": len(theirs), "architecture": card["architecture"],
        "parameters": parameters, "epochs": peers[0].settings["epochs"], "augmentation": "flips", "threads": options.threads,
        "training_seconds": rounded({"qsmflow": seconds, "pytorch": their_seconds}),
        "ratio": round(their_seconds / seconds, 2),
        "cpu_seconds": rounded(
            {"qsmflow": cpu_seconds, "pytorch": sum(one.cpu_seconds for one in theirs) / len(theirs)}),
        "first_losses": losses}), flush=True)
    return agrees


def rounded(values: dict) -> dict:
    return {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the program qsmflow")
    parser.add_argument("--methods", nargs="+", default=[method.name for method in METHODS])
    parser.add_argument("--trainings", type=int, default=4, help="how often PyTorch trains, each time with other roundings")
    parser.add_argument("--threads", type=int, choices=[1, 2], default=2)
    parser.add_argument("--subjects", type=int, help="people in every cohort")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--folder", type=Path, help="where cohorts and runs are kept and, where they are, used again")
    options = parser.parse_args()
    if options.trainings < 2:
        parser.error("--trainings wants 2 or more: of one there is no scatter")
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
