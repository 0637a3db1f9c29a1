"""What the random cases of layer_check.py are made of. Sizes are small, odd and prime as often as not, channels seldom
fill a block of sixteen."""
import dataclasses
import random

import torch

SIZES = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 19, 23, 29, 37)
CHANNELS = (1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 19, 24, 31, 32, 33, 47)


@dataclasses.dataclass
class Case:
    network: dict
    #: Of the inputs, without their channels: (batch, axes …).
    size: tuple
    loss: dict = dataclasses.field(default_factory=lambda: {"terms": [term("meanSquaredError")]})
    #: Whether targets are classes; classes that occur besides the channels of the output.
    classes: bool = False
    ignored: int | None = None
    #: Factor of the inputs; whole numbers, of which many are alike.
    scale: float = 1
    whole: bool = False
    #: The value whose sign the last layer looks at. A value within rounding of zero may go either way.
    edge: str | None = None
    #: Values that each statistic of a normalisation is made of.
    members: int | None = None


def term(kind: str, weight: float = 1.0, **settings: object) -> dict:
    return {"kind": {kind: {"settings": settings} if settings else {}}, "weight": weight, "output": 0}


class Draw(random.Random):
    """Random numbers in the shape of our settings."""

    def chance(self, probability: float = 0.5) -> bool:
        return self.random() < probability

    def batch(self) -> int:
        return self.randint(1, 5)

    def axes(self, rank: int, most: int = 3000) -> tuple:
        """A size of at most so many positions."""
        while True:
            size = tuple(self.choice(SIZES) for _ in range(rank))
            if torch.Size(size).numel() <= most:
                return size

    def rank(self) -> int:
        return self.choice((2, 3))

    def channels(self, least: int = 1) -> int:
        return self.choice([channels for channels in CHANNELS if channels >= least])

    def scale(self, size: tuple, *scales: float) -> float:
        """Of values for functions that saturate. Where all values do, what is left of gradients is rounding; so only
        where there are many."""
        return self.choice(scales) if torch.Size(size).numel() >= 100 else 1

    def groups(self, *channels: int) -> int:
        return self.choice([n for n in range(1, min(channels) + 1) if all(c % n == 0 for c in channels)])


def extent(values: tuple, rest: int = 1) -> dict:
    return dict(zip(("depth", "height", "width"), (*[rest] * (3 - len(values)), *values)))


class Chain:
    """A network whose layers follow each other."""

    def __init__(self, draw: Draw, channels: int, rank: int, size: tuple | None = None, batch: int | None = None):
        self.rank, self.channels = rank, channels
        self.inputs = [{"name": "x", "channels": channels, "rank": rank}]
        self.nodes: list[dict] = []
        self.last = "x"
        self.size = (batch or draw.batch(), *(size if size is not None else draw.axes(rank)))
        # As often as not something stands before the layer, so that its input is a map and not what the network is
        # given; of all functions the one that rounds nothing.
        if draw.chance():
            self.add("half", {"activation": {"function": {"leakyRelu": {"slope": 0.5}}}})

    def input(self, channels: int, rank: int) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append({"name": name, "channels": channels, "rank": rank})
        return name

    def add(self, name: str, layer: dict, *others: str) -> "Chain":
        self.nodes.append({"name": name, "layer": layer, "inputs": [self.last, *others]})
        self.last = name
        return self

    def case(self, **settings: object) -> Case:
        network = {"inputs": self.inputs, "nodes": self.nodes, "outputs": [self.last]}
        return Case(network, self.size, **settings)

    def rectified(self, draw: Draw, **settings: object) -> Case:
        """With a ReLU behind, which is fused into the layer before."""
        before = self.last
        function = draw.choice(({"relu": {}}, {"leakyRelu": {"slope": 0.01}}, {"leakyRelu": {"slope": 0.25}}))
        return self.add("act", {"activation": {"function": function}}).case(edge=before, **settings)
