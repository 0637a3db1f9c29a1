"""Images as a network of ours is trained on them: axes to the right, front and top, values normalised as the model card
says, labels as classes. Voxel sizes are those of the files: images that would have to be resampled are refused.
"""
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

AXES = ("depth", "height", "width")


def in_order(size: dict) -> tuple[int, int, int]:
    return tuple(size[axis] for axis in AXES)


@dataclass
class Session:
    """One person's files, by input port."""

    subject: str
    session: str | None
    files: dict[str, Path]
    # Of χ maps what their sidecar says, by port.
    units: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Volume:
    # (channels, depth, height, width), normalised.
    values: np.ndarray
    # What a zero of every channel became.
    background: np.ndarray
    # Class per voxel; None where there are none.
    labels: np.ndarray | None
    # Sum of every slice of every channel before it was normalised.
    slice_sums: np.ndarray

    @property
    def size(self) -> tuple[int, int, int]:
        return self.values.shape[1:]


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """An image as (depth, height, width), which run up, to the front and to the right; and its voxel size along width,
    height and depth, mm."""
    image = sitk.ReadImage(str(path))
    # World axes of ITK run left, back and up.
    cosines = np.array(image.GetDirection()).reshape(3, 3) * [[-1], [-1], [1]]
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    # world[a] is the world axis along which image axis a runs.
    world = max(orders, key=lambda order: sum(abs(cosines[order[axis], axis]) for axis in range(3)))
    values = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    values = np.flip(values, [axis for axis in range(3) if cosines[world[axis], axis] < 0])
    order = [world.index(axis) for axis in range(3)]
    spacing = np.array(image.GetSpacing())[order]
    return np.ascontiguousarray(values.transpose(order[::-1])), spacing


def volume(session: Session, card: dict, classes: list[dict] | None) -> Volume:
    """
    - classes: of a segmentation, beside background: {name, labels}; None where labels are not wanted.
    """
    ports = ["images", "images2", "images3", "images4"][:len(card["channels"])]
    raw = []
    for port, channel in zip(ports, card["channels"]):
        values, spacing = read(session.files[port])
        wanted = card["geometry"].get("spacingMillimetres")
        if wanted and not np.allclose(spacing, wanted, rtol=card["geometry"]["spacingTolerance"]):
            raise SystemExit(
                f"{session.files[port]} has voxels of {spacing} mm and the network takes {wanted}: images are not resampled "
                "here; take a cohort of one voxel size")
        values = values.astype(np.float32)
        if channel["units"] == "ppm" and session.units[port] == "ppb":
            values *= np.float32(0.001)
        raw.append(values)
    mask = read(session.files["masks"])[0] if "masks" in session.files else None
    normalised = [normalise(values, channel["normalisation"], mask) for values, channel in zip(raw, card["channels"])]
    labels = None
    if classes is not None:
        numbers = np.zeros(1 << 16, np.uint8)
        for number, one in enumerate(classes, 1):
            numbers[one["labels"]] = number
        labels = numbers[read(session.files["labels"])[0].astype(np.uint16)]
    return Volume(
        np.stack([values for values, _ in normalised]), np.array([zero for _, zero in normalised], np.float32), labels,
        np.stack([values.sum((1, 2), dtype=np.float64) for values in raw]))


def normalise(values: np.ndarray, normalisation: dict, mask: np.ndarray | None) -> tuple[np.ndarray, float]:
    """Normalised values, and what a zero became."""
    kind, settings = next(iter(normalisation.items()))
    if kind == "none":
        return values, 0.0
    if kind == "clip":
        return scaled(values, settings["lower"], settings["upper"], settings)
    region, of_region = next(iter(settings["over"].items()))

    def padded() -> np.ndarray:
        """The values, and zeros around them up to a size."""
        whole = np.maximum(values.shape, in_order(of_region["size"])).prod()
        return np.concatenate([values.ravel(), np.zeros(whole - values.size, values.dtype)])

    chosen = {
        "volume": lambda: values, "paddedVolume": padded, "mask": lambda: values[mask != 0],
        "nonZero": lambda: values[values != 0]}[region]()
    if kind == "percentiles":
        lower, upper = np.percentile(chosen.astype(np.float64), [settings["lower"], settings["upper"]])
        return scaled(values, np.float32(lower), np.float32(upper), settings)
    mean, deviation = chosen.mean(dtype=np.float64), chosen.std(dtype=np.float64)
    mean, scale = np.float32(mean), np.float32(1 / deviation)
    result = (values - mean) * scale
    if (outside := settings.get("outsideMask")) is not None:
        result[mask == 0] = outside
        return result, outside
    return result, -mean * scale


def scaled(values: np.ndarray, lower: float, upper: float, ends: dict) -> tuple[np.ndarray, float]:
    low, slope = np.float32(ends["low"]), np.float32((ends["high"] - ends["low"]) / (upper - lower))

    def scale(x):
        return low + (np.clip(x, np.float32(lower), np.float32(upper)) - np.float32(lower)) * slope

    return scale(values), float(scale(np.float32(0)))


def cut(values: np.ndarray, first: tuple[int, int, int], size: tuple[int, int, int], beyond: float) -> np.ndarray:
    """The part of the last three axes that begins at a voxel, which may lie outside as the rest of the part may."""
    result = np.full((*values.shape[:-3], *size), beyond, values.dtype)
    there, here = [], []
    for begin, length, extent in zip(first, size, values.shape[-3:]):
        low, high = max(begin, 0), min(begin + length, extent)
        if low >= high:
            return result
        there.append(slice(low, high))
        here.append(slice(low - begin, high - begin))
    result[(..., *here)] = values[(..., *there)]
    return result


def middle(size: tuple[int, int, int], patch: tuple[int, int, int]) -> tuple[int, int, int]:
    """First voxel of a patch in the middle; of an odd margin the smaller part comes first."""
    return tuple(-((part - extent) // 2) if part >= extent else (extent - part) // 2 for extent, part in zip(size, patch))
