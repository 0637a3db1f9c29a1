"""Random cases of every layer: networks of that layer alone, or of the few that are fused into one. A kind is a function of
random numbers that gives one case."""
from typing import Callable

import torch

from case_drawing import SIZES, Case, Chain, Draw, extent

# Convolutions


def geometry(draw: Draw, rank: int, kernels: tuple, inputs: int, outputs: int) -> tuple[dict, tuple]:
    """Any setting, and a size that it fits."""
    kernel = tuple(draw.choice(kernels) for _ in range(rank))
    if draw.chance():
        kernel = kernel[:1] * rank
    stride = tuple(draw.choice((1, 1, 2)) for _ in range(rank))
    dilation = tuple(draw.choice((1, 1, 1, 2, 3)) for _ in range(rank))
    padding = tuple(draw.choice((0, d * (k // 2), draw.randint(0, k))) for k, d in zip(kernel, dilation))
    while True:
        size = draw.axes(rank, 1000)
        if all(n + 2 * p > d * (k - 1) for n, p, d, k in zip(size, padding, dilation, kernel)):
            break
    return {
        "inputChannels": inputs, "outputChannels": outputs, "kernel": extent(kernel), "stride": extent(stride),
        "padding": extent(padding, 0), "dilation": extent(dilation), "groups": draw.groups(inputs, outputs),
    }, size


def same_size(draw: Draw, rank: int, inputs: int, outputs: int) -> tuple[dict, tuple]:
    """Of three steps, as most convolutions are: large enough that fast convolution pays, also in its gradients."""
    kernel = (3,) * rank if draw.chance(0.7) else (1,) * (rank - 2) + (3, 3)
    padding = tuple(draw.choice((k // 2, k // 2, 0)) for k in kernel)
    least = (5,) if rank == 3 else (11,)
    sizes = [n for n in SIZES if n >= least[0]]
    while True:
        size = tuple(draw.choice(sizes) for _ in range(rank))
        if torch.Size(size).numel() <= 1000:
            break
    ones = (1,) * rank
    return {
        "inputChannels": inputs, "outputChannels": outputs, "kernel": extent(kernel), "stride": extent(ones),
        "padding": extent(padding, 0), "dilation": extent(ones), "groups": 1,
    }, size


def convolution(draw: Draw, rank: int, kernels: tuple = (1, 3, 5, 7), fast: bool = False) -> Chain:
    inputs, outputs = draw.channels(16 if fast and draw.chance() else 1), draw.channels(16 if fast else 1)
    g, size = (same_size if fast else lambda *a: geometry(a[0], a[1], kernels, *a[2:]))(draw, rank, inputs, outputs)
    volume = torch.Size(size).numel() * inputs * outputs * torch.Size(tuple(g["kernel"].values())).numel()
    chain = Chain(draw, inputs, rank, size, batch=draw.randint(1, 5 if volume < 1e7 else 2))
    return chain.add("conv", {"convolution": {"geometry": g, "bias": draw.chance(0.7)}})


def transposed(draw: Draw, rank: int) -> Chain:
    inputs, outputs = draw.channels(), draw.channels()
    kernel = tuple(draw.choice((1, 2, 3, 4, 5)) for _ in range(rank))
    stride = tuple(draw.choice((1, 2, 2, 3)) for _ in range(rank))
    dilation = tuple(draw.choice((1, 1, 1, 2)) for _ in range(rank))
    if draw.chance():
        kernel, stride, dilation = (2,) * rank, (2,) * rank, (1,) * rank
    extra = tuple(draw.choice((0, 0, draw.randint(0, max(s, d) - 1))) for s, d in zip(stride, dilation))
    padding = tuple(draw.choice((0, 0, draw.randint(0, k // 2))) for k in kernel)
    while True:
        size = draw.axes(rank, 300)
        result = zip(size, stride, padding, dilation, kernel, extra)
        if all((n - 1) * s - 2 * p + d * (k - 1) + e >= 0 for n, s, p, d, k, e in result):
            break
    g = {
        "inputChannels": inputs, "outputChannels": outputs, "kernel": extent(kernel), "stride": extent(stride),
        "padding": extent(padding, 0), "outputPadding": extent(extra, 0), "dilation": extent(dilation),
        "groups": draw.groups(inputs, outputs),
    }
    return Chain(draw, inputs, rank, size).add("conv", {"transposedConvolution": {"geometry": g, "bias": draw.chance()}})


def linear(draw: Draw) -> Chain:
    inputs, outputs = draw.randint(1, 70), draw.randint(1, 70)
    layer = {"inputs": inputs, "outputs": outputs, "bias": draw.chance()}
    return Chain(draw, inputs, 0).add("fc", {"linear": layer})


# Normalisation


def normalisation(kind: dict, channels: int, draw: Draw) -> dict:
    return {"normalisation": {"settings": {
        "kind": kind, "channels": channels, "epsilon": draw.choice((1e-5, 1e-5, 1e-3)),
        "momentum": draw.choice((0.1, 0.1, 0.01, 0.5)), "isAffine": draw.chance(0.8)}}}


def batch_normalisation(draw: Draw) -> tuple[Chain, int]:
    channels = draw.channels()
    while True:
        chain = Chain(draw, channels, draw.choice((0, 2, 3)))
        members = torch.Size(chain.size).numel()
        if members > 1:
            return chain.add("norm", normalisation({"batch": {}}, channels, draw)), members


def instance_normalisation(draw: Draw) -> tuple[Chain, int]:
    channels = draw.channels()
    while True:
        chain = Chain(draw, channels, draw.rank())
        members = torch.Size(chain.size[1:]).numel()
        if members > 1:
            return chain.add("norm", normalisation({"instance": {}}, channels, draw)), members


def group_normalisation(draw: Draw) -> tuple[Chain, int]:
    while True:
        channels = draw.channels()
        groups = draw.groups(channels)
        chain = Chain(draw, channels, draw.choice((0, 2, 3)))
        members = torch.Size(chain.size[1:]).numel() * channels // groups
        if members > 1:
            kind = {"group": {"groups": groups}}
            return chain.add("norm", normalisation(kind, channels, draw)), members


def normalised(make: Callable[[Draw], tuple[Chain, int]]) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        chain, members = make(draw)
        return chain.rectified(draw, members=members) if draw.chance(0.3) else chain.case(members=members)
    return case


def behind(make: Callable[[Draw], Chain]) -> Callable[[Draw], Case]:
    """Batch normalisation behind a layer whose weights take it up at inference, with a ReLU or without."""
    def case(draw: Draw) -> Case:
        while True:
            chain = make(draw)
            layer = next(iter(chain.nodes[-1]["layer"].values()))
            g = layer.get("geometry")
            channels = g["outputChannels"] if g else layer["outputs"]
            values = torch.Size(g["kernel"].values()).numel() * g["inputChannels"] // g["groups"] if g else layer["inputs"]
            # A single weight is but a factor, which the normalisation divides out: it has no gradient.
            if values == 1:
                continue
            # Statistics of a few values magnify rounding; those have cases of their own.
            if chain.size[0] >= (5 if chain.rank == 0 else 1) and (
                chain.rank == 0 or min(chain.size[1:]) >= 5 and chain.size[0] > 1
            ):
                break
        chain.add("norm", normalisation({"batch": {}}, channels, draw))
        return chain.rectified(draw) if draw.chance(0.5) else chain.case()
    return case


def normalised_join(draw: Draw) -> Case:
    """Batch normalisation and ReLU behind a concatenation, which move before it at inference."""
    chain = Chain(draw, draw.channels(), 2, tuple(draw.choice((5, 7, 11, 13)) for _ in range(2)), draw.randint(2, 4))
    outputs = draw.channels()
    g = {
        "inputChannels": chain.channels, "outputChannels": outputs, "kernel": extent((3, 3)), "stride": extent((1, 1)),
        "padding": extent((1, 1), 0), "dilation": extent((1, 1)), "groups": 1,
    }
    other = draw.channels()
    name = chain.input(other, 2)
    chain.add("conv", {"convolution": {"geometry": g, "bias": draw.chance()}}).add("join", {"concatenation": {}}, name)
    chain.add("norm", normalisation({"batch": {}}, outputs + other, draw))
    return chain.rectified(draw)


# Values, positions, channels


def activation(**function: dict) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        chain = Chain(draw, draw.channels(), draw.choice((0, 2, 3)))
        chain.add("act", {"activation": {"function": function}})
        return chain.case(scale=draw.scale(chain.size, 1, 1, 5, 20))
    return case


def leaky(draw: Draw) -> Case:
    return activation(leakyRelu={"slope": draw.choice((0.01, 0.1, 0.3, 1.0))})(draw)


def prelu(draw: Draw) -> Case:
    chain = Chain(draw, draw.channels(), draw.choice((0, 2, 3)))
    return chain.add("act", {"prelu": {"slopes": draw.choice((1, chain.channels))}}).case()


def softmax(draw: Draw) -> Case:
    chain = Chain(draw, draw.channels(2), draw.choice((0, 2, 3)))
    return chain.add("softmax", {"softmax": {}}).case(scale=draw.scale(chain.size, 1, 3, 10))


def pooling(kind: str) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        rank = draw.rank()
        kernel = tuple(draw.choice((1, 2, 2, 3, 5)) for _ in range(rank))
        stride = kernel if draw.chance() else tuple(draw.choice((1, 2, 3)) for _ in range(rank))
        padding = tuple(draw.choice((0, draw.randint(0, k // 2))) for k in kernel)
        while True:
            size = draw.axes(rank)
            # PyTorch has no means over volumes that are smaller than the window, whatever their padding.
            room = 0 if kind == "average" and rank == 3 else 2
            if all(n + room * p >= k for n, p, k in zip(size, padding, kernel)):
                break
        settings = {
            "kind": kind, "kernel": extent(kernel), "stride": extent(stride), "padding": extent(padding, 0),
            "ceilMode": draw.chance(), "countIncludesPadding": draw.chance(),
        }
        chain = Chain(draw, draw.channels(), rank, size).add("pool", {"pooling": {"settings": settings}})
        return chain.case(whole=draw.chance(0.3))
    return case


def whole_map(kind: str) -> Callable[[Draw], Case]:
    return lambda draw: Chain(draw, draw.channels(), draw.rank()).add("pool", {kind: {}}).case()


def upsampling(kind: str, corners: bool) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        rank = draw.rank()
        scale = tuple(draw.choice((1, 2, 2, 3)) for _ in range(rank))
        settings = {"kind": kind, "scale": extent(scale), "alignCorners": corners}
        chain = Chain(draw, draw.channels(), rank, draw.axes(rank, 400))
        return chain.add("up", {"upsampling": {"settings": settings}}).case()
    return case


def concatenation(draw: Draw) -> Case:
    chain = Chain(draw, draw.channels(), draw.choice((0, 2, 3)))
    names = [chain.input(draw.channels(), chain.rank) for _ in range(draw.randint(1, 3))]
    if draw.chance(0.2):
        names.append(chain.last)
    return chain.add("join", {"concatenation": {}}, *names).case()


def addition(draw: Draw) -> Case:
    chain = Chain(draw, draw.channels(), draw.choice((0, 2, 3)))
    names = [chain.input(chain.channels, chain.rank) for _ in range(draw.randint(1, 3))]
    chain.add("sum", {"addition": {}}, *names)
    return chain.rectified(draw) if draw.chance() else chain.case()


def multiplication(kind: str) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        chain = Chain(draw, draw.channels(), draw.rank())
        channels, rank = {"map": (chain.channels, chain.rank), "position": (1, chain.rank), "vector": (chain.channels, 0)}[
            kind]
        return chain.add("product", {"multiplication": {}}, chain.input(channels, rank)).case()
    return case


def slices(draw: Draw) -> Case:
    return Chain(draw, draw.channels(), 3).add("slices", {"slicesToBatch": {}}).case()


def sequence(draw: Draw, size: tuple | None = None) -> Chain:
    chain = Chain(draw, draw.channels(), 3, size)
    return chain.add("slices", {"slicesToBatch": {}}).add("mean", {"globalAveragePooling": {}}).add(
        "sequence", {"batchToSequence": {}})


def lstm(draw: Draw) -> Case:
    chain = sequence(draw, (draw.choice(SIZES), *draw.choice(((1, 1), (2, 3)))))
    layer = {"inputs": chain.channels, "hidden": draw.choice((1, 2, 5, 8, 15, 16, 17, 31))}
    return chain.add("lstm", {"bidirectionalLSTM": layer}).case(scale=draw.scale(chain.size, 1, 1, 3))


def crop(draw: Draw) -> Case:
    rank = draw.rank()
    size, divisors = [], []
    while len(size) < rank:
        inner, divisor = draw.choice((1, 2, 3, 5, 7)), draw.choice((1, 2, 3, 4))
        if (inner * divisor - inner) % 2 == 0:
            size.append(inner * divisor)
            divisors.append(divisor)
    chain = Chain(draw, draw.channels(), rank, tuple(size))
    return chain.add("crop", {"centreCrop": {"divisor": extent(tuple(divisors))}}).case()


def dropout(draw: Draw) -> Case:
    chain = Chain(draw, draw.channels(), draw.choice((0, 2, 3)))
    layer = {"probability": draw.choice((0.0, 0.1, 0.5, 0.9)), "wholeChannels": draw.chance()}
    return chain.add("drop", {"dropout": layer}).case()


def rectified(make: Callable[[Draw], Chain]) -> Callable[[Draw], Case]:
    return lambda draw: make(draw).rectified(draw) if draw.chance(0.3) else make(draw).case()


LAYERS: dict[str, Callable[[Draw], Case]] = {
    "convolution 2-D": rectified(lambda draw: convolution(draw, 2)),
    "convolution 3-D": rectified(lambda draw: convolution(draw, 3)),
    "convolution 2-D, 3x3": rectified(lambda draw: convolution(draw, 2, fast=True)),
    "convolution 3-D, 3x3x3": rectified(lambda draw: convolution(draw, 3, fast=True)),
    "transposed convolution 2-D": rectified(lambda draw: transposed(draw, 2)),
    "transposed convolution 3-D": rectified(lambda draw: transposed(draw, 3)),
    "linear": rectified(linear),
    "batch normalisation": normalised(batch_normalisation),
    "instance normalisation": normalised(instance_normalisation),
    "group normalisation": normalised(group_normalisation),
    "convolution, batch normalisation": behind(lambda draw: convolution(draw, draw.rank(), fast=draw.chance())),
    "transposed convolution, batch normalisation": behind(lambda draw: transposed(draw, draw.rank())),
    "linear, batch normalisation": behind(linear),
    "concatenation, batch normalisation": normalised_join,
    "ReLU": activation(relu={}),
    "leaky ReLU": leaky,
    "sigmoid": activation(sigmoid={}),
    "tanh": activation(tanh={}),
    "swish": activation(swish={}),
    "PReLU": prelu,
    "softmax": softmax,
    "max pooling": pooling("max"),
    "average pooling": pooling("average"),
    "global average pooling": whole_map("globalAveragePooling"),
    "global max pooling": whole_map("globalMaxPooling"),
    "nearest upsampling": upsampling("nearest", False),
    "linear upsampling": upsampling("linear", False),
    "linear upsampling, aligned corners": upsampling("linear", True),
    "concatenation": concatenation,
    "addition": addition,
    "multiplication": multiplication("map"),
    "multiplication by positions": multiplication("position"),
    "multiplication by a vector": multiplication("vector"),
    "slices to batch": slices,
    "batch to sequence": lambda draw: sequence(draw).case(),
    "bidirectional LSTM": lstm,
    "centre crop": crop,
    "dropout": dropout,
}
