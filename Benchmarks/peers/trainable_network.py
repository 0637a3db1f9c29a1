"""A network of ours in PyTorch with the layers that work in training only: dropout and DeepSMOTE (Zhang et al., NeuroImage
Clin 34 (2022) 102979). They draw the numbers that ours draw.
"""
import numpy as np
import torch

from philox import Draws, words
from torch_network import Interpreter

# Keeps the draws of DeepSMOTE apart.
SMOTE = 0x736D_0000
LANES = 16


class TrainableNetwork(Interpreter):
    """- memory_format: torch.channels_last for convolutions that PyTorch computes faster so, or torch.contiguous_format."""

    def __init__(self, network: dict, draws: Draws, channels_last: bool = False):
        super().__init__(network)
        self.draws, self.channels_last = draws, channels_last
        self.sites = {node["name"]: index for index, node in enumerate(network["nodes"])}
        self.place = (0, 0)
        self.positive: np.ndarray | None = None
        # Rows that DeepSMOTE appended to the last batch.
        self.synthetic = 0
        # Share of a batch in running statistics in place of the layers' own.
        self.momentum: float | None = None

    def laid_out(self, x: torch.Tensor) -> torch.Tensor:
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        return x.contiguous(memory_format=formats[x.dim()]) if self.channels_last and x.dim() in formats else x

    def learn(
        self, weights: dict, inputs: list[torch.Tensor], epoch: int, batch: int, positive: np.ndarray | None = None
    ) -> list[torch.Tensor]:
        """- positive: which samples are of the rare class, for networks that multiply them."""
        self.place, self.positive, self.synthetic = (epoch, batch), positive, 0
        return self.run(weights, inputs, True)

    def layer(self, node: dict, rank: int, weights: dict, given: list, batch: int, training: bool) -> torch.Tensor:
        kind = self.kind(node)
        settings = node["layer"][kind]
        if kind == "normalisation" and training and self.momentum is not None:
            settings = {**settings, "settings": {**settings["settings"], "momentum": self.momentum}}
            node = {**node, "layer": {kind: settings}}
        if not training or kind not in ("dropout", "deepSMOTE"):
            return super().layer(node, rank, weights, given, batch, training)
        if kind == "dropout":
            return self.dropout(given[0], settings, self.sites[node["name"]])
        return self.smote(given[0], settings)

    def dropout(self, x: torch.Tensor, settings: dict, site: int) -> torch.Tensor:
        if settings["wholeChannels"] or x.dim() != 2:
            raise SystemExit("dropout of feature maps is not on this side; leave dropout out")
        # Decisions of sixteen bits, of which every value has its own counter.
        threshold = round(settings["probability"] * 65536)
        rows, width = x.shape
        padded = -(-width // LANES) * LANES
        numbers = words(self.draws.seed, np.arange(rows * padded), (*self.place, site))[:, 0] >> np.uint32(16)
        kept = (numbers >= threshold).reshape(rows, padded)[:, :width]
        return x * torch.from_numpy(kept.astype(np.float32) * np.float32(65536 / (65536 - threshold)))

    def smote(self, x: torch.Tensor, settings: dict) -> torch.Tensor:
        rows = np.flatnonzero(self.positive)
        if len(rows) <= 2:
            return x
        minority = x.detach()[rows].double()
        distances = (minority[:, None] - minority[None]).square().sum(2).numpy()
        first, second, fractions = [], [], []
        for n in range(len(rows)):
            others = sorted((distances[n, m], m) for m in range(len(rows)) if m != n)
            nearest = [n] * settings["includesSelf"] + [m for _, m in others[:settings["neighbours"] - 1]]
            stream = self.draws.stream(*self.place, SMOTE | n)
            for other in nearest:
                first.append(rows[n])
                second.append(rows[other])
                fractions.append(stream.uniform())
        self.synthetic = len(first)
        fraction = torch.tensor(fractions, dtype=x.dtype)[:, None]
        a, b = x[first], x[second]
        return torch.cat([x, a + fraction * (b - a)])
