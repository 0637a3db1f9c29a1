"""Random cases of every loss, on logits that are what the network is given."""
from typing import Callable

from case_drawing import Case, Draw, term


def logits(draw: Draw, channels: int) -> dict:
    """A network that is its input."""
    rank = draw.choice((0, 2, 3))
    network = {"inputs": [{"name": "x", "channels": channels, "rank": rank}], "nodes": [], "outputs": ["x"]}
    size = (draw.batch(), *draw.axes(rank))
    return {"network": network, "size": size, "scale": draw.scale(size, 1, 3, 10)}


def class_weights(draw: Draw, channels: int) -> dict:
    return {"classWeights": [draw.uniform(0.1, 3) for _ in range(channels)]} if draw.chance() else {}


def ignoring(draw: Draw, channels: int) -> dict:
    return {"ignoredClass": draw.choice((0, channels - 1, 255))} if draw.chance() else {}


def over_classes(kind: str) -> Callable[[Draw], Case]:
    def case(draw: Draw) -> Case:
        channels = draw.channels(2)
        settings = class_weights(draw, channels) | ignoring(draw, channels)
        if kind == "focal":
            settings["gamma"] = draw.choice((0.0, 0.5, 1.0, 2.0, 3.5))
        loss = {"terms": [{"kind": {kind: {"settings": settings}}, "weight": draw.choice((1.0, 0.3)), "output": 0}]}
        case = Case(**logits(draw, channels), loss=loss, classes=True, ignored=settings.get("ignoredClass"))
        if settings.get("gamma") == 0.5:
            # The slope of √(1 − p) is infinite at p = 1, which PyTorch makes no number.
            case.scale = 1
        return case
    return case


def dice_settings(draw: Draw, channels: int, classes: bool) -> dict:
    smooth = draw.choice(((1e-5, 1e-5), (1.0, 1.0), (0.0, 1e-5)))
    return {
        "probabilities": draw.choice(("softmax", "sigmoid")) if channels > 1 else "sigmoid",
        "includesBackground": draw.chance(), "squaredDenominator": draw.chance(), "smoothNumerator": smooth[0],
        "smoothDenominator": smooth[1], "perImage": draw.chance(),
    } | class_weights(draw, channels) | (ignoring(draw, max(2, channels)) if classes else {})


def dice(draw: Draw) -> Case:
    channels, classes = draw.channels(), draw.chance(0.6)
    settings = dice_settings(draw, channels, classes)
    return Case(
        **logits(draw, channels), loss={"terms": [term("dice", **settings)]}, classes=classes,
        ignored=settings.get("ignoredClass"))


def binary(draw: Draw) -> Case:
    channels = draw.channels()
    settings = {"positiveWeights": [draw.uniform(0.1, 5) for _ in range(channels)]} if draw.chance() else {}
    loss = {"terms": [{"kind": {"binaryCrossEntropy": {"settings": settings}}, "weight": 1.0, "output": 0}]}
    return Case(**logits(draw, channels), loss=loss)


def squared(draw: Draw) -> Case:
    return Case(**logits(draw, draw.channels()))


def several(draw: Draw) -> Case:
    """Terms whose gradients are added."""
    channels = draw.channels(2)
    terms = [
        term("dice", draw.uniform(0.2, 2), **dice_settings(draw, channels, False)),
        {"kind": {"crossEntropy": {"settings": class_weights(draw, channels)}}, "weight": draw.uniform(0.2, 2),
         "output": 0},
        {"kind": {"focal": {"settings": {"gamma": 2.0}}}, "weight": draw.uniform(0.2, 2), "output": 0},
    ]
    return Case(**logits(draw, channels), loss={"terms": terms}, classes=True)


LOSSES: dict[str, Callable[[Draw], Case]] = {
    "cross-entropy": over_classes("crossEntropy"),
    "focal loss": over_classes("focal"),
    "Dice loss": dice,
    "binary cross-entropy": binary,
    "mean squared error": squared,
    "sum of losses": several,
}
