"""What is drawn for a sample: a function of epoch, sample and purpose (Sources/Networks/Data/RandomPurpose.swift)."""
from functools import lru_cache

import numpy as np

ORDER, CHOICE, SPATIAL = 0xDA7A_0002, 0xDA7A_0003, 0xDA7A_0004


class SampleDraws:
    def __init__(self, draws):
        self.draws = draws
        self.order = lru_cache(maxsize=64)(self.permuted)

    def choice(self, epoch: int, sample: int):
        return self.draws.stream(epoch, sample, CHOICE)

    def permuted(self, epoch: int, place: int, count: int) -> list[int]:
        return self.draws.stream(epoch, place, ORDER).permutation(count)

    def flips(self, spatial: dict, epoch: int, sample: int) -> tuple[bool, bool, bool]:
        """Along depth, height and width: each with probability one half where it is allowed."""
        stream = self.draws.stream(epoch, sample, SPATIAL)
        drawn = [stream.chance(0.5) for _ in range(3)]
        return tuple(flipped and spatial["flips"][axis] for flipped, axis in zip(drawn, ("depth", "height", "width")))


def check_augmentation(spatial: dict, intensity: dict) -> None:
    """Refuses what this side does not do: everything but mirroring."""
    turned = [key for key in ("rotationProbability", "scalingProbability", "translationProbability") if spatial[key] > 0]
    turned += [key for key in ("elastic",) if spatial.get(key)]
    turned += ["quarterTurns"] if any(spatial["quarterTurns"].values()) else []
    turned += [key for key in ("blurVoxels", "biasField", "gain", "offset", "gamma", "noise") if intensity.get(key)]
    if turned:
        raise SystemExit(f"samples are changed by {', '.join(turned)}; set augmentation to none or flips")


def flipped(values: np.ndarray, flips: tuple[bool, bool, bool]) -> np.ndarray:
    """The last three axes reversed as drawn."""
    return np.flip(values, [axis - 3 for axis, reversed_ in enumerate(flips) if reversed_])
