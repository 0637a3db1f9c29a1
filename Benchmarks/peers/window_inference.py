"""A volume of any size through a network that sees one window at a time: neighbours overlap, and probabilities are blended
by a Gaussian about the middle of each window (Sources/Networks/Inference)."""
import math

import numpy as np
import torch

from training_images import Volume, cut, in_order

AT_ONCE = 8


def starts(size: int, window: int, overlap: float) -> list[int]:
    """First voxels of windows spread evenly, the last ending with the axis."""
    room = size - window
    if room <= 0:
        return [0]
    gaps = math.ceil(room / max(1, window * (1 - overlap)))
    return [math.floor(room * n / gaps + 0.5) for n in range(gaps + 1)]


def blending(edge: int, fraction: float) -> np.ndarray:
    t = (np.arange(edge) - edge // 2) / (edge * fraction)
    return np.maximum(np.exp(-0.5 * t * t), 1e-6)


@torch.no_grad()
def segment(network, weights: dict, volume: Volume, card: dict) -> np.ndarray:
    """Class of every voxel: the most probable; of one logit, whether it is at least one half. Slices that hold nothing by
    the card's rule are background."""
    options = card["inference"]
    window = in_order(options["window"])
    fraction = options["blending"]["gaussian"]["sigmaFraction"]
    padded = tuple(max(extent, edge) for extent, edge in zip(volume.size, window))
    before = tuple((whole - extent) // 2 for whole, extent in zip(padded, volume.size))
    weight = np.einsum("i,j,k", *(blending(edge, fraction) for edge in window)).astype(np.float32)
    axes = [starts(extent, edge, options["overlap"]) for extent, edge in zip(padded, window)]
    origins = [(k, j, i) for k in axes[0] for j in axes[1] for i in axes[2]]
    is_flat = network.network["inputs"][0]["rank"] == 2
    sums, totals = None, np.zeros(padded, np.float32)
    for first in range(0, len(origins), AT_ONCE):
        places = origins[first:first + AT_ONCE]
        images = np.stack([
            np.stack([
                cut(values, tuple(np.subtract(place, before)), window, zero)
                for values, zero in zip(volume.values, volume.background)])
            for place in places])
        x = network.laid_out(torch.from_numpy(images[:, :, 0] if is_flat else images))
        logits = network.run(weights, [x], False)[0]
        found = (torch.sigmoid(logits) if card["output"] == "sigmoid" else torch.softmax(logits, 1)).numpy()
        found = found[:, :, None] if is_flat else found
        if sums is None:
            sums = np.zeros((found.shape[1], *padded), np.float32)
        for place, probabilities in zip(places, found):
            there = tuple(slice(begin, begin + edge) for begin, edge in zip(place, window))
            sums[(slice(None), *there)] += weight * probabilities
            totals[there] += weight
    inside = tuple(slice(begin, begin + extent) for begin, extent in zip(before, volume.size))
    probabilities = sums[(slice(None), *inside)] / totals[inside]
    if card["output"] == "sigmoid":
        labels = np.where(probabilities.max(0) >= 0.5, probabilities.argmax(0) + 1, 0).astype(np.uint8)
    else:
        labels = probabilities.argmax(0).astype(np.uint8)
    if (channel := card.get("emptyChannel")) is not None:
        labels[volume.slice_sums[channel] <= 0] = 0
    return labels
