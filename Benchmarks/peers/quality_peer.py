"""One fold of a method in PyTorch: trained on the people that our training was trained on, with what its model card
states, and applied to those who were held out."""
import json
from dataclasses import dataclass, field
from time import perf_counter, process_time

import numpy as np
import torch
from safetensors import safe_open

from classification_samples import Place, PlaceSamples, Standardisation, centres, patch
from initial_weights import initial_weights, perturbed
from philox import Draws
from qsmflow_run import QsmflowRun, table
from segmentation_samples import ForegroundIndex, PatchSamples, SliceSamples
from torch_training import Trained, Training
from trainable_network import TrainableNetwork
from training_images import Session, in_order, middle, read, volume
from window_inference import segment

# By how much of themselves initial weights are changed: what outputs of both sides differ by from those of double precision
# (network_check.jsonl: 1e-6 PyTorch's, 2e-6 ours).
ROUNDING = 1e-6


@dataclass
class FoldResult:
    """Of the people held out: labels by person, or probabilities of the positive class by person and lesion (0: the image),
    and by person and slice."""

    labels: dict[str, np.ndarray] = field(default_factory=dict)
    probabilities: dict[tuple[str, int], float] = field(default_factory=dict)
    slices: dict[tuple[str, int], float] = field(default_factory=dict)
    trained: Trained | None = None
    seconds: float = 0
    cpu_seconds: float = 0


class QualityPeer:
    def __init__(self, run: QsmflowRun, fold: int):
        self.run, self.method, self.fold = run, run.method, fold
        with safe_open(run.made(run.method.train, "model", fold=fold), "pt") as file:
            self.card = json.loads(file.metadata()["qsmflow.card"])
        self.settings = self.card["training"]["settings"]
        if self.settings.get("earlyStopping"):
            raise SystemExit("trainings that stop early are not on this side; leave patience out")
        self.draws = Draws(self.settings["seed"])
        self.network = TrainableNetwork(self.card["network"], self.draws, self.method.channels_last)
        split = run.split(fold)
        sessions = [session for session in run.sessions(run.method.train, fold=fold) if session.subject in split]
        self.training = [session for session in sessions if split[session.subject] == "training"]
        self.validation = [session for session in sessions if split[session.subject] == "validation"]
        # As the curve heads it; "metric" where it is the loss.
        metric = list(run.curve(fold)[0])[4]
        self.metric = "loss" if metric == "metric" else metric

    def result(self, rounding: int) -> FoldResult:
        """- rounding: 0: with the weights that ours begins with; else seed of what they are changed by."""
        result = FoldResult()
        weights = initial_weights(self.network, self.draws)
        if rounding:
            weights = perturbed(weights, ROUNDING, rounding)
        start, cpu = perf_counter(), process_time()
        result.trained = self.segmentation(weights) if self.method.segments else self.classification(weights)
        result.seconds, result.cpu_seconds = perf_counter() - start, process_time() - cpu
        held_out = [person for person, number in self.run.folds.items() if number == self.fold]
        for person in sorted(held_out):
            for session in self.run.sessions(self.method.apply, subject=person):
                self.apply(session, result)
        return result

    # Segmentation

    def segmentation(self, weights: dict[str, torch.Tensor]) -> Trained:
        classes, training = self.method.classes, self.card["training"]
        lateral = np.arange(256, dtype=np.uint8)
        volumes = [volume(session, self.card, classes) for session in self.training]
        judged_volumes = [volume(session, self.card, classes) for session in self.validation]
        count, judged = len(classes) + 1, None
        if slices := training.get("slices"):
            pair_up(lateral, slices["lateralPairs"])
            samples = SliceSamples(volumes, slices, self.draws, lateral, count, self.method.empty_channel)
            if self.validation:
                judged = SliceSamples(
                    judged_volumes, slices, self.draws, lateral, count, self.method.empty_channel, judges=True)
        else:
            patches, seed = training["patches"], self.settings["seed"]
            pair_up(lateral, patches["spatial"]["lateralPairs"])
            index = ForegroundIndex(volumes, count, seed)
            samples = PatchSamples(
                volumes, index, patches, self.draws, lateral, patches["samplesPerEpoch"], patches["foregroundFraction"])
            if self.validation:
                index = ForegroundIndex(judged_volumes, count, seed)
                given = self.method.settings.get("train.samples_per_epoch") or 8 * len(self.validation)
                judged = PatchSamples(
                    judged_volumes, index, patches, self.draws, lateral, max(given, patches["batch"]),
                    0 if index.is_bare else patches["foregroundFraction"], judges=True)
        trained = Training(self.network, self.settings, self.metric, count, 0).run(weights, samples, judged)
        # Ours judges whole images of these people in the end, which takes its time as well.
        for one in judged_volumes:
            segment(self.network, trained.weights, one, self.card)
        return trained

    # Classification

    def classification(self, weights: dict[str, torch.Tensor]) -> Trained:
        options = self.card["training"]["targeted"]
        volumes = [volume(session, self.card, None) for session in self.training]
        judged_volumes = [volume(session, self.card, None) for session in self.validation]
        places, judged_places = self.places(self.training), self.places(self.validation)
        self.standardisation = self.standardised(places)
        samples = PlaceSamples(volumes, places, options, self.draws, self.standardisation)
        judged = None
        if judged_places:
            judged = PlaceSamples(judged_volumes, judged_places, options, self.draws, self.standardisation, judges=True)
        output = len(self.card["network"]["outputs"]) - 1
        return Training(self.network, self.settings, self.metric, len(self.card["classes"]), output).run(
            weights, samples, judged)

    def standardised(self, places: list[Place]) -> Standardisation | None:
        features = self.card.get("features")
        if not features:
            return None
        own = Standardisation(np.stack([place.features for place in places]))
        for ours, theirs in ((features["means"], own.means), (features["standardDeviations"], own.deviations)):
            if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-300):
                raise SystemExit("the features of the lesions trained on have other means or deviations than the card states")
        return own

    def places(self, sessions: list[Session]) -> list[Place]:
        """What is told apart: people, or the lesions whose class is known."""
        classes, found = self.card["classes"], []
        levels = self.levels() if self.method.target else {}
        for number, session in enumerate(sessions):
            if self.method.target:
                found.append(
                    Place(number, None, classes.index(levels[session.subject]), np.empty(0), session.subject))
                continue
            middles = centres(read(session.files["labels"])[0].astype(np.int64))
            features = self.features(session)
            known = {int(row["lesion"]): row["class"] for row in table(session.files["targets"])}
            for lesion, name in sorted(known.items()):
                if name in classes:
                    found.append(
                        Place(
                            number, middles[lesion], classes.index(name), features.get(lesion, np.empty(0)),
                            session.subject, lesion))
        return found

    def levels(self) -> dict[str, str]:
        rows = table(self.run.dataset / "participants.tsv")
        return {row["participant_id"].removeprefix("sub-"): row[self.method.target] for row in rows}

    def features(self, session: Session) -> dict[int, np.ndarray]:
        names = (self.card.get("features") or {}).get("names")
        if not names:
            return {}
        return {
            int(row["lesion"]): np.array([float("nan") if row[name] == "n/a" else float(row[name]) for name in names])
            for row in table(session.files["features"])}

    # Application

    @torch.no_grad()
    def apply(self, session: Session, result: FoldResult) -> None:
        weights = result.trained.weights
        # Ports of steps that apply are called by the singular.
        def renamed(values: dict) -> dict:
            return {port.replace("image", "images").replace("mask", "masks"): value for port, value in values.items()}

        seen = volume(
            Session(session.subject, session.session, renamed(session.files), renamed(session.units)), self.card, None)
        if self.method.segments:
            result.labels[session.subject] = segment(self.network, weights, seen, self.card)
            return
        places = {0: None}
        features = {}
        if "lesions" in session.files:
            places = centres(read(session.files["lesions"])[0].astype(np.int64))
            features = self.features(session)
        size = in_order(self.card["training"]["targeted"]["patch"])
        for lesion, centre in places.items():
            inputs = [torch.from_numpy(np.ascontiguousarray(patch(seen, centre, size)))[None]]
            if features:
                inputs.append(torch.from_numpy(self.standardisation(features[lesion]))[None])
            outputs = self.network.run(weights, [self.network.laid_out(x) for x in inputs], False)
            result.probabilities[session.subject, lesion] = torch.sigmoid(outputs[-1]).item()
            if len(outputs) > 1:
                first = middle(seen.size, size)[0]
                result.slices |= {
                    (session.subject, first + n): p for n, p in enumerate(torch.sigmoid(outputs[0]).ravel().tolist())}


def pair_up(lateral: np.ndarray, pairs: list[dict]) -> None:
    for pair in pairs:
        lateral[pair["first"]], lateral[pair["second"]] = pair["second"], pair["first"]
