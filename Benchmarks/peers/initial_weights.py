"""The weights a training of ours begins with: normal, cut at two standard deviations, of variance 2 / fan-in (He et al.
2015); biases 0, scales of normalisations 1, running statistics 0 and 1, LSTMs uniform within ±1/√hidden.
"""
import numpy as np
import torch

from philox import Draws
from torch_network import Interpreter

# Keeps these draws apart from those of the training (Sources/Networks/Weights/Initialisation.swift).
PURPOSE = 0x696E_6974
# Standard deviation of a standard normal variable cut at ±2.
CUT_DEVIATION = 0.87962566103423978


def initial_weights(network: Interpreter, draws: Draws) -> dict[str, torch.Tensor]:
    """By our names, in the order of the layers, running statistics beside the layer they belong to."""
    shapes = network.parameters(torch.Generator())
    kinds = {node["name"]: (network.kind(node), node["layer"]) for node in network.network["nodes"]}
    made = {}
    for index, (name, like) in enumerate(shapes.items()):
        layer, part = name.rsplit(".", 1)
        kind, settings = kinds[layer]
        made[name] = torch.from_numpy(values(kind, settings, part, like, draws, index)).reshape(like.shape)
    return made


def values(kind: str, settings: dict, part: str, like: torch.Tensor, draws, index: int) -> np.ndarray:
    count = like.numel()
    if kind == "normalisation" or kind == "prelu":
        constant = 0.25 if kind == "prelu" else 1 if part in ("weight", "running_var") else 0
        return np.full(count, constant, np.float32)
    if kind == "bidirectionalLSTM":
        limit = settings[kind]["hidden"] ** -0.5
        return ((2 * draws.stream(index, PURPOSE).uniforms(count) - 1) * limit).astype(np.float32)
    if part == "bias":
        return np.zeros(count, np.float32)
    # PyTorch's fan-in, of transposed convolutions too: all axes of the weight but the first.
    fan_in = count // like.shape[0]
    deviation = (2 / fan_in) ** 0.5 / CUT_DEVIATION
    return (cut_normals(count, draws.stream(index, PURPOSE)) * deviation).astype(np.float32)


def cut_normals(count: int, stream) -> np.ndarray:
    """Box and Muller's transform, without what lies beyond ±2 (4.6 %)."""
    pairs = count * 53 // 100 + 64
    uniform = stream.uniforms(2 * pairs).reshape(pairs, 2)
    radius, angle = np.sqrt(-2 * np.log(1 - uniform[:, 0])), 2 * np.pi * uniform[:, 1]
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    normal = normal[np.abs(normal) <= 2]
    assert len(normal) >= count
    return normal[:count]


def perturbed(weights: dict[str, torch.Tensor], share: float, seed: int) -> dict[str, torch.Tensor]:
    """Weights that differ from these by a share of themselves, normal and independent: as other roundings would."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value * (1 + share * torch.randn(value.shape, generator=generator)) for name, value in weights.items()}
