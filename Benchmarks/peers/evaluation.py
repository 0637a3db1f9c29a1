#!/usr/bin/env python3
"""Evaluations of qsmflow against scikit-learn, SimpleITK and SciPy on the same input: JSON lines, one per figure.

Runs the tasks themselves (`qsmflow run-task`). The exit status is 1 when a figure differs by more than rounding. Needs
Benchmarks/peers/evaluation-requirements.txt.
"""
import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import scipy
import SimpleITK as sitk
import sklearn
from scipy import ndimage
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

OURS = ""
FAILED = []


@cache
def version(kind: str) -> int:
    """Of a task kind, as the program has it."""
    kinds = json.loads(subprocess.run([OURS, "kinds", "--json"], check=True, capture_output=True).stdout)
    return next(one["version"] for one in kinds if one["name"] == kind)


def run_task(folder: Path, kind: str, inputs: list, parameters: dict) -> None:
    """inputs: (port, path, context)."""
    (folder / "out").mkdir()
    staged = [{"path": str(path), "input": {
        "port": port, "context": context, "name": Path(path).name, "sizeBytes": 0,
        "digest": hashlib.sha256(str(path).encode()).hexdigest()}} for port, path, context in inputs]
    (folder / "task.json").write_text(json.dumps({
        "task": 1 << 24, "attempt": 1, "step": "peer", "kind": kind, "kindVersion": version(kind), "context": {},
        "parameters": parameters, "inputs": staged, "missing": [], "threads": 1, "memoryMiB": 4096,
        "outputFolder": str(folder / "out")}))
    subprocess.run([OURS, "run-task", str(folder)], check=False)
    result = json.loads((folder / "result.json").read_text())
    if result.get("failure"):
        sys.exit(f"{kind}: {result['failure']['message']}")


def table(path: Path) -> list:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def compare(what: str, ours, theirs, peer: str, tolerance: float = 1e-9) -> None:
    difference = abs(float(ours) - float(theirs))
    agrees = difference <= tolerance * max(1, abs(float(theirs)))
    print(json.dumps({"figure": what, "qsmflow": float(ours), "peer": peer, "theirs": float(theirs),
                      "difference": difference, "agrees": agrees}), flush=True)
    if not agrees:
        FAILED.append(what)


def classification(random: np.random.Generator, items: int, ties: bool) -> None:
    truth = random.random(items) < 0.08
    logits = random.normal(size=items) + 1.6 * truth - 2
    scores = 1 / (1 + np.exp(-1.7 * logits))
    if ties:
        scores = np.round(scores, 2).clip(0.01, 0.99)
    name = f"{items} items{', tied' if ties else ''}: "
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = [["participant_id", "lesion", "class", "known", "p_rim"]]
        lines += [[f"sub-{n % 40}", f"{n}", "rim" if scores[n] >= 0.5 else "flat", "rim" if truth[n] else "flat",
                   repr(float(scores[n]))] for n in range(items)]

        def judged(columns: int) -> dict:
            own = folder / f"{columns}"
            own.mkdir()
            (own / "all.tsv").write_text("".join("\t".join(line[:columns]) + "\n" for line in lines))
            run_task(own, "evaluate.classification", [("tables", own / "all.tsv", {})],
                     {"truth": "known", "positive": "rim", "partial_fpr": 0.1, "bootstrap": 0})
            return {row["metric"]: row["value"] for row in table(own / "out" / "metrics.tsv")
                    if row["level"] == "item" and row["class"] == "rim"}

        ours, ours_of_decisions = judged(5), judged(4)
    peer = f"scikit-learn {sklearn.__version__}"
    decisions = scores >= 0.5
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    # Newton's method without a penalty; the tolerance of its gradient is what is left of it.
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(
        np.log(scores / (1 - scores))[:, None], truth)
    theirs = {
        "auc": metrics.roc_auc_score(truth, scores), "partial_auc_mcclish": metrics.roc_auc_score(truth, scores, max_fpr=0.1),
        "average_precision": metrics.average_precision_score(truth, scores),
        "pr_auc_trapezoid": metrics.auc(recall, precision), "accuracy": metrics.accuracy_score(truth, decisions),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, decisions),
        "sensitivity": metrics.recall_score(truth, decisions), "precision": metrics.precision_score(truth, decisions),
        "f1": metrics.f1_score(truth, decisions), "kappa": metrics.cohen_kappa_score(truth, decisions),
        "brier": metrics.brier_score_loss(truth, scores), "log_loss": metrics.log_loss(truth, scores)}
    for metric, value in theirs.items():
        compare(name + metric, ours[metric], value, peer)
    for metric in ("accuracy", "balanced_accuracy", "sensitivity", "precision", "f1", "kappa"):
        compare(name + metric + ", of decisions alone", ours_of_decisions[metric], theirs[metric], peer)
    compare(name + "calibration_slope", ours["calibration_slope"], line.coef_[0, 0], peer, 1e-6)
    compare(name + "calibration_intercept", ours["calibration_intercept"], line.intercept_[0], peer, 1e-6)


def blobs(random: np.random.Generator, shape: tuple, share: float) -> np.ndarray:
    field = ndimage.gaussian_filter(random.normal(size=shape), 2.2)
    return field > np.quantile(field, 1 - share)


def image(values: np.ndarray) -> sitk.Image:
    result = sitk.GetImageFromArray(values.astype(np.uint8))
    result.SetSpacing((0.8, 1.1, 2.0))
    result.SetOrigin((-20.0, 15.0, 7.0))
    return result


def segmentation(random: np.random.Generator) -> None:
    shape = (36, 60, 56)
    reference = blobs(random, shape, 0.06)
    prediction = np.roll(reference, 1, 2) ^ (blobs(random, shape, 0.02))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, values in (("reference", reference), ("prediction", prediction)):
            sitk.WriteImage(image(values), str(folder / f"{name}.nii.gz"))
        run_task(folder, "evaluate.segmentation", [(name, folder / f"{name}.nii.gz", {"subject": "1"})
                                                   for name in ("reference", "prediction")], {})
        ours = table(folder / "out" / "table.tsv")[0]
    a, b = image(prediction), image(reference)
    peer = f"SimpleITK {sitk.Version.VersionString()}"
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(b, a)
    compare("Dice", ours["dice"], overlap.GetDiceCoefficient(), peer)
    compare("Jaccard", ours["jaccard"], overlap.GetJaccardCoefficient(), peer)
    # Of the surfaces: a voxel with a face neighbour outside. The filter itself takes whatever is inside.
    pad = sitk.ConstantPad
    surfaces = [sitk.LabelContour(pad(part, (1, 1, 1), (1, 1, 1), 0), fullyConnected=False) for part in (a, b)]
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(*surfaces)
    compare("Hausdorff, mm", ours["hausdorff_mm"], hausdorff.GetHausdorffDistance(), peer, 1e-6)

    def surface(mask):
        padded = np.pad(mask, 1)
        return (padded & ~ndimage.binary_erosion(padded))[1:-1, 1:-1, 1:-1]

    sa, sb = surface(prediction), surface(reference)
    spacing = (2.0, 1.1, 0.8)
    to_a, to_b = (ndimage.distance_transform_edt(~part, sampling=spacing) for part in (sa, sb))
    forwards, backwards = to_b[sa], to_a[sb]
    pooled = np.concatenate([forwards, backwards])
    peer = f"SciPy {scipy.__version__}"
    compare("Hausdorff of distance maps, mm", ours["hausdorff_mm"], pooled.max(), peer, 1e-6)
    compare("HD95 of both directions pooled, mm", ours["hd95_mm"], np.percentile(pooled, 95), peer, 1e-6)
    compare("HD95, larger of two directions, mm", ours["hd95_larger_mm"],
            max(np.percentile(forwards, 95), np.percentile(backwards, 95)), peer, 1e-6)
    compare("ASSD, mm", ours["assd_mm"], pooled.mean(), peer, 1e-6)


def detection(random: np.random.Generator) -> None:
    shape = (36, 60, 56)
    reference = blobs(random, shape, 0.01)
    prediction = (np.roll(reference, 1, 1) & blobs(random, shape, 0.5)) | blobs(random, shape, 0.004)
    corners = np.ones((3, 3, 3))
    a, predictions = ndimage.label(prediction, corners)
    b, references = ndimage.label(reference, corners)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, values in (("reference", reference), ("prediction", prediction)):
            sitk.WriteImage(image(values), str(folder / f"{name}.nii.gz"))
        inputs = [(name, folder / f"{name}.nii.gz", {"subject": "1"}) for name in ("reference", "prediction")]
        run_task(folder, "evaluate.detection", inputs, {"rules": ["overlap"]})
        ours = table(folder / "out" / "table.tsv")[0]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sitk.WriteImage(image(reference), str(folder / "reference.nii.gz"))
        run_task(folder, "lesions.components", [("labels", folder / "reference.nii.gz", {"subject": "1"})], {})
        lesions = table(folder / "out" / "table.tsv")
    peer = f"SciPy {scipy.__version__}"
    compare("reference lesions", ours["references"], references, peer)
    compare("predicted lesions", ours["predictions"], predictions, peer)
    compare("references touched", ours["tp"], len(np.unique(b[(a > 0) & (b > 0)])), peer)
    compare("predictions that touch none", ours["fp"], predictions - len(np.unique(a[(a > 0) & (b > 0)])), peer)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(sitk.ConnectedComponent(image(reference), True))
    peer = f"SimpleITK {sitk.Version.VersionString()}"
    order = sorted(statistics.GetLabels(), key=lambda label: -statistics.GetNumberOfPixels(label))
    compare("lesions numbered", len(lesions), len(order), peer)
    largest = lesions[0]
    centre = np.array(statistics.GetCentroid(order[0])) * (-1, -1, 1)
    for axis, column in enumerate(("x_mm", "y_mm", "z_mm")):
        compare(f"centre of the largest lesion, {column}", largest[column], centre[axis], peer, 1e-5)
    compare("its volume, mm3", largest["volume_mm3"], statistics.GetPhysicalSize(order[0]), peer, 1e-5)


def main() -> None:
    global OURS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the program qsmflow")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    OURS = options.ours
    random = np.random.default_rng(options.seed)
    for items, ties in ((200, False), (3000, False), (3000, True)):
        classification(random, items, ties)
    segmentation(random)
    detection(random)
    if FAILED:
        sys.exit(f"{len(FAILED)} figures differ: {', '.join(FAILED)}")


if __name__ == "__main__":
    main()
