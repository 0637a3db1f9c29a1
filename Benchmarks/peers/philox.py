"""The counter-based random numbers that our trainings draw (Philox4x32-10; Salmon, Moraes, Dror and Shaw 2011, doi
10.1145/2063384.2063405), so that a training in PyTorch can begin with the same weights and see the same samples as ours.

A stream is a sequence of words that belongs to a place: three numbers, such as epoch, sample and purpose. What the
sequence is turned into, here and in Sources/Kernels/Random, is the same for both.
"""
import numpy as np

WORDS = np.uint64(0xFFFF_FFFF)


def words(seed: int, counters: np.ndarray, place: tuple[int, int, int]) -> np.ndarray:
    """Four words of 32 bits for each counter: (counters, 4)."""
    c = [counters.astype(np.uint64)] + [np.full(counters.shape, part & 0xFFFF_FFFF, np.uint64) for part in place]
    keys = [seed & 0xFFFF_FFFF, seed >> 32 & 0xFFFF_FFFF]
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD251_1F53), c[2] * np.uint64(0xCD9E_8D57)
        c = [
            second >> np.uint64(32) ^ c[1] ^ np.uint64(keys[0]), second & WORDS,
            first >> np.uint64(32) ^ c[3] ^ np.uint64(keys[1]), first & WORDS]
        keys = [keys[0] + 0x9E37_79B9 & 0xFFFF_FFFF, keys[1] + 0xBB67_AE85 & 0xFFFF_FFFF]
    return np.stack(c, -1).astype(np.uint32)


class Stream:
    """Successive numbers of one place."""

    def __init__(self, source):
        self.source = source
        self.waiting: list[int] = []
        self.taken = 0

    def word(self) -> int:
        if self.taken == len(self.waiting):
            self.waiting, self.taken = self.source(32).tolist(), 0
        self.taken += 1
        return self.waiting[self.taken - 1]

    def uniform(self) -> float:
        """In 0 ..< 1, of 24 bits."""
        return (self.word() >> 8) * 2.0**-24

    def uniforms(self, count: int) -> np.ndarray:
        """The same, many at once, of a stream that nothing was taken from."""
        assert not self.waiting
        return (self.source(count)[:count] >> np.uint32(8)) * 2.0**-24

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def below(self, count: int) -> int:
        low = self.word()
        return (self.word() << 32 | low) * count >> 64

    def permutation(self, count: int) -> list[int]:
        """0 ..< count in random order (Fisher and Yates)."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


class Draws:
    """What our training of this seed draws."""

    def __init__(self, seed: int):
        self.seed = seed

    def stream(self, a: int, b: int = 0, c: int = 0) -> Stream:
        position = 0

        def source(count: int) -> np.ndarray:
            nonlocal position
            counters = np.arange(position, position + -(-count // 4))
            position += len(counters)
            return words(self.seed, counters, (a, b, c)).ravel()

        return Stream(source)
