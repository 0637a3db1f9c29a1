"""Samples of segmentations as our trainings take them: patches of which a share lies on foreground, or whole slices.

Both give batches by epoch and number: the inputs and targets of the network as NumPy arrays.
"""
import numpy as np

from sample_draws import SampleDraws, check_augmentation, flipped
from training_images import Volume, cut, in_order, middle

# Voxels of a class in one volume among which patches are centred; of more, ours takes a random choice.
MOST_PER_VOLUME = 10_000


def place(sample: int, fraction: float) -> tuple[bool, int]:
    """Whether a sample is of the share that has foreground, and how many before it are: spread evenly."""
    before = int(sample * fraction + 1e-9)
    return int((sample + 1) * fraction + 1e-9) > before, before


class ForegroundIndex:
    """For every class the volumes that have it, with its voxels."""

    def __init__(self, volumes: list[Volume], classes: int, seed: int):
        self.entries: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(classes)]
        random = np.random.default_rng(seed)
        for number, volume in enumerate(volumes):
            flat = volume.labels.ravel()
            for label in range(1, classes):
                voxels = np.flatnonzero(flat == label)
                if len(voxels) > MOST_PER_VOLUME:
                    voxels = np.sort(random.choice(voxels, MOST_PER_VOLUME, replace=False))
                if len(voxels):
                    self.entries[label].append((number, voxels))

    @property
    def is_bare(self) -> bool:
        return not any(self.entries)


class PatchSamples:
    """Patches at random places of random volumes; of one slice they are pictures for a network of two dimensions."""

    def __init__(self, volumes: list[Volume], index: ForegroundIndex, options: dict, draws, lateral: np.ndarray,
                 count: int, fraction: float, judges: bool = False):
        """
        - lateral: for every class what it is when left and right change places.
        - count: samples of an epoch; filled up to full batches unless judges is true.
        """
        if options.get("globalScale"):
            raise SystemExit("networks with a second, larger field of view are not trained on this side")
        check_augmentation(options["spatial"], options["intensity"])
        self.volumes, self.index, self.options, self.lateral = volumes, index, options, lateral
        self.patch, self.batch, self.fraction = in_order(options["patch"]), options["batch"], fraction
        self.batches = -(-count // self.batch)
        self.samples = count if judges else self.batches * self.batch
        self.draws, self.judges = SampleDraws(draws), judges
        weights = options["classWeights"] or [1.0] * len(index.entries)
        self.cumulative = np.cumsum([w if entry else 0 for w, entry in zip(weights, index.entries)])

    def chosen(self, epoch: int, sample: int) -> tuple[int, int | None]:
        """The volume, and the voxel to be in the middle; None for any place."""
        is_foreground, _ = place(sample, self.fraction)
        if not is_foreground:
            count = len(self.volumes)
            return self.draws.order(epoch, sample // count, count)[sample % count], None
        stream = self.draws.choice(epoch, sample)
        label = int(np.argmax(self.cumulative > stream.uniform() * self.cumulative[-1]))
        volume, voxels = self.index.entries[label][stream.below(len(self.index.entries[label]))]
        return volume, int(voxels[stream.below(len(voxels))])

    def first(self, epoch: int, sample: int, size: tuple[int, int, int], voxel: int | None) -> tuple[int, int, int]:
        """First voxel of the patch: within the volume as far as that is large enough."""
        stream = self.draws.choice(epoch, sample ^ 0x8000_0000)
        wanted = None if voxel is None else np.unravel_index(voxel, size)
        result = [0, 0, 0]
        for axis in (2, 1, 0):
            room = size[axis] - self.patch[axis]
            if room <= 0:
                result[axis] = -(-room // 2)
                continue
            drawn = stream.below(room + 1)
            result[axis] = drawn if wanted is None else int(np.clip(wanted[axis] - self.patch[axis] // 2, 0, room))
        return tuple(result)

    def make(self, epoch: int, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        images, labels = [], []
        for sample in range(number * self.batch, min((number + 1) * self.batch, self.samples)):
            chosen, voxel = self.chosen(epoch, sample)
            volume = self.volumes[chosen]
            first = self.first(epoch, sample, volume.size, voxel)
            flips = (False,) * 3 if self.judges else self.draws.flips(self.options["spatial"], epoch, sample)
            image, classes = sample_of(volume, first, self.patch, flips, self.lateral, self.options["labelBeyond"])
            images.append(image[:, 0] if self.patch[0] == 1 else image)
            labels.append(classes[0] if self.patch[0] == 1 else classes)
        return [np.stack(images)], [targets(np.stack(labels), self.options["targets"], len(self.index.entries))]


class SliceSamples:
    """Whole slices in the middle of a frame, balanced between those with and without foreground."""

    def __init__(self, volumes: list[Volume], options: dict, draws, lateral: np.ndarray, classes: int,
                 empty_channel: int | None, judges: bool = False):
        """
        - empty_channel: slices in which it sums to 0 or less are left out.
        - judges: every slice once as it is, those with foreground first.
        """
        shapes = options["shapes"]
        if "spatial" not in shapes:
            raise SystemExit("slices are changed as DEEPMIR does; set augmentation to none or flips")
        self.spatial = next(iter(shapes["spatial"].values()))
        check_augmentation(self.spatial, options["intensity"])
        self.volumes, self.options, self.lateral, self.classes = volumes, options, lateral, classes
        self.frame, self.batch, self.judges = in_order(options["size"]), options["batch"], judges
        self.foreground, self.background = [], []
        for number, volume in enumerate(volumes):
            for k in range(volume.size[0]):
                if empty_channel is None or volume.slice_sums[empty_channel, k] > 0:
                    (self.foreground if volume.labels[k].any() else self.background).append((number, k))
        slices = len(self.foreground) + len(self.background)
        count = slices if judges else options.get("samplesPerEpoch") or slices
        self.batches = -(-count // self.batch)
        self.samples = count if judges else self.batches * self.batch
        self.draws = SampleDraws(draws)

    @property
    def is_bare(self) -> bool:
        return not self.foreground

    def entry(self, epoch: int, sample: int) -> tuple[int, int]:
        def pick(entries: list, number: int, kind: int) -> tuple[int, int]:
            turn = number // len(entries) << 2 | kind
            return entries[self.draws.order(epoch, turn, len(entries))[number % len(entries)]]

        every = self.foreground + self.background
        fraction = self.options.get("foregroundFraction")
        if self.judges:
            return every[sample]
        if fraction is None:
            return pick(every, sample, 0)
        is_foreground, before = place(sample, fraction)
        return pick(self.foreground, before, 1) if is_foreground else pick(self.background, sample - before, 2)

    def make(self, epoch: int, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        images, labels = [], []
        for sample in range(number * self.batch, min((number + 1) * self.batch, self.samples)):
            chosen, k = self.entry(epoch, sample)
            volume = self.volumes[chosen]
            _, j, i = middle(volume.size, self.frame)
            flips = (False,) * 3 if self.judges else self.draws.flips(self.spatial, epoch, sample)
            image, classes = sample_of(volume, (k, j, i), self.frame, flips, self.lateral, 0)
            images.append(image[:, 0])
            labels.append(classes[0])
        return [np.stack(images)], [targets(np.stack(labels), self.options["targets"], self.classes)]


def sample_of(volume: Volume, first: tuple, size: tuple, flips: tuple, lateral: np.ndarray, label_beyond: int):
    image = np.stack([cut(values, first, size, zero) for values, zero in zip(volume.values, volume.background)])
    classes = cut(volume.labels, first, size, label_beyond)
    if flips[2]:
        classes = lateral[classes]
    return flipped(image, flips), flipped(classes, flips)


def targets(labels: np.ndarray, form: str, classes: int) -> np.ndarray:
    """Numbers of classes, or a channel of 0 and 1 for every class but the background."""
    if form == "classes":
        return labels.astype(np.int64)
    return np.stack([labels == label for label in range(1, max(2, classes))], 1).astype(np.float32)
