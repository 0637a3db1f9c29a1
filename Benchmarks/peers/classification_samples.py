"""Samples of classifications as our trainings take them: patches around lesions, or in the middle of images, in batches
with enough positives, with features beside them where the network takes any.
"""
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from sample_draws import SampleDraws, check_augmentation, flipped
from training_images import Volume, cut, in_order, middle


@dataclass
class Place:
    """What is judged: an image, or a lesion in it."""

    volume: int
    # Voxel in the middle, (depth, height, width); None: the middle of the image.
    centre: tuple[float, float, float] | None
    # Number of the class.
    target: int
    # In the order of the card, NaN where there is none.
    features: np.ndarray
    subject: str = ""
    lesion: int = 0


def centres(lesions: np.ndarray) -> dict[int, tuple[float, float, float]]:
    """Mean voxel of every lesion of a map of numbers."""
    where = np.argwhere(lesions)
    numbers = lesions[tuple(where.T)]
    return {int(n): tuple(where[numbers == n].mean(0)) for n in np.unique(numbers)}


def patch(volume: Volume, centre: tuple | None, size: tuple[int, int, int], flips=(False,) * 3) -> np.ndarray:
    """(channels, depth, height, width) around a position, trilinear, what a zero became beyond half a voxel outside."""
    if centre is None:
        first = middle(volume.size, size)
        whole = [cut(values, first, size, zero) for values, zero in zip(volume.values, volume.background)]
        return flipped(np.stack(whole), flips)
    lines = [c + np.arange(length) - (length - 1) / 2 for c, length in zip(centre, size)]
    grid = np.meshgrid(*lines, indexing="ij")
    outside = np.zeros(size, bool)
    for positions, extent in zip(grid, volume.size):
        outside |= (positions < -0.5) | (positions > extent - 0.5)
    result = []
    for values, zero in zip(volume.values, volume.background):
        found = map_coordinates(values, grid, order=1, mode="nearest", output=np.float32)
        found[outside] = zero
        result.append(found)
    return flipped(np.stack(result), flips)


class Standardisation:
    """Features brought to mean 0 and standard deviation 1 over the samples trained on; what a sample lacks becomes 0."""

    def __init__(self, samples: np.ndarray):
        known = np.where(np.isnan(samples).all(0), 0, samples)
        self.means = np.nanmean(known, 0)
        deviations = np.sqrt(np.nanmean((known - self.means) ** 2, 0))
        self.deviations = np.where(deviations > 1e-9 * np.abs(self.means), deviations, 0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        scaled = (values - self.means) / np.where(self.deviations > 0, self.deviations, 1)
        return np.where((self.deviations > 0) & ~np.isnan(values), scaled, 0).astype(np.float32)


class BalancedOrder:
    """Batches with at least so many positives, which come again as often as needed; every negative comes at least once
    an epoch."""

    def __init__(self, positive: list[bool], batch: int, minimum: int, draws: SampleDraws):
        self.positives = [n for n, yes in enumerate(positive) if yes]
        self.negatives = [n for n, yes in enumerate(positive) if not yes]
        self.batch, self.minimum, self.draws = batch, minimum, draws
        self.batches = max(1, -(-len(positive) // batch))
        while minimum < batch and self.batches * (batch - minimum) < len(self.negatives) + max(
                0, len(self.positives) - self.batches * minimum):
            self.batches += 1

    def position(self, epoch: int, number: int, count: int, kind: int) -> int:
        return self.draws.order(epoch, number // count << 2 | kind, count)[number % count]

    def positive(self, epoch: int, number: int) -> int:
        return self.positives[self.position(epoch, number, len(self.positives), 0)]

    def samples(self, epoch: int, number: int) -> list[int]:
        rare, others = self.minimum, self.batch - self.minimum
        chosen = [self.positive(epoch, number * rare + n) for n in range(rare)]
        reached = self.batches * rare
        rest = len(self.negatives) + max(0, len(self.positives) - reached)
        for n in range(number * others, (number + 1) * others):
            if rest == 0:
                chosen.append(self.positive(epoch, reached + n))
                continue
            place = self.position(epoch, n, rest, 1)
            is_negative = place < len(self.negatives)
            chosen.append(
                self.negatives[place] if is_negative else self.positive(epoch, reached + place - len(self.negatives)))
        return [chosen[n] for n in self.draws.order(epoch, number << 2 | 3, len(chosen))]


class PlaceSamples:
    """Patches around places, balanced; judged, every place once in the given order."""

    def __init__(self, volumes: list[Volume], places: list[Place], options: dict, draws,
                 standardisation: Standardisation | None, judges: bool = False):
        check_augmentation(options["spatial"], options["intensity"])
        self.volumes, self.places, self.options, self.judges = volumes, places, options, judges
        self.patch, self.batch = in_order(options["patch"]), options["batch"]
        self.standardisation, self.draws = standardisation, SampleDraws(draws)
        self.order = BalancedOrder(
            [place.target > 0 for place in places], self.batch, options["minimumPositives"], self.draws)
        self.batches = -(-len(places) // self.batch) if judges else self.order.batches

    def make(self, epoch: int, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        first = number * self.batch
        chosen = list(range(first, min(first + self.batch, len(self.places)))) if self.judges else self.order.samples(
            epoch, number)
        places = [self.places[n] for n in chosen]
        images = np.stack([
            patch(
                self.volumes[place.volume], place.centre, self.patch,
                (False,) * 3 if self.judges else self.draws.flips(self.options["spatial"], epoch, first + n))
            for n, place in enumerate(places)])
        inputs = [images]
        if self.standardisation:
            inputs.append(np.stack([self.standardisation(place.features) for place in places]))
        wanted = np.array([place.target for place in places])
        if self.options["targets"] == "classes":
            return inputs, [wanted.astype(np.int64)]
        scans = wanted.astype(np.float32)[:, None]
        if self.options["targets"] == "valuesPerSlice":
            return inputs, [scans.repeat(self.patch[0], 0), scans]
        return inputs, [scans]
