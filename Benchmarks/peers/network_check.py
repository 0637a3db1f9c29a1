#!/usr/bin/env python3
"""Builds our networks in PyTorch from their JSON, gives both sides the same weights and batches, and compares outputs,
gradients, running statistics and the losses of twenty steps of Adam.

PyTorch in double precision is the truth. Every figure is our distance from it, and stands beside that of PyTorch in
single precision ("…_float32"), which tells how far rounding alone leads: where a value lies within rounding of the edge
of a ReLU, rounding decides whether its gradient counts; normalisation of small batches magnifies it; and with every step
of training it grows. A network passes where each of our distances is below its bound, or at most FACTOR times PyTorch's
own. FACTOR is 4: of two roundings of the same sums either may be twice as near by luck, and fast convolution, which we
use and PyTorch mostly does not, rounds to one bit less than sums do. Gradients are those of four batches, the worst of
which counts on either side, so that luck counts less. The losses of U-Nets have a second rule, without a factor: the four
of FOLLOWING are within the bound of PyTorch's in single precision, "curve_to_float32", which is what people see who train
there. (With normalisation over few samples, ReLU and a rate of 0.001, unet3d's losses in PyTorch's two precisions part by
nearly the bound; ours may be as far from double precision as that.) Losses of networks that are no U-Nets are reported
and decide nothing: PyTorch's own two precisions part by up to 0.3 within twenty steps, and
two such distances say nothing of each other.

What edges do is told apart from what rounding does, on the batch that is worst: "disputed_edges" counts the values that
we see on another side of a ReLU's edge than double precision does, and the windows in which another value is the largest
to us; "edge_distance" is how far the farthest of them is from its edge, relative to the largest value of the map; and
"same_sides_gradient" is the distance of the whole gradient where double precision takes our side of every edge. At an edge
every side's gradient is one: a gradient that is out of bounds passes where same_sides_gradient is within them and no
disputed value is farther than EDGE from its edge, that is, where nothing but values within rounding of an edge makes the
difference. (Without this rule the outcome hangs on whether one of millions of values happens to lie that near.)

Weights and batches are made by PyTorch and cross over as safetensors files, so that reading and writing them is compared
as well. One line of JSON per network; exits with 1 where one does not pass.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from torch_network import Interpreter, cost, extent, relative

FACTOR = 4
# U-Nets of the 3-D tutorial's widths, of smaller ones with ReLU and Swish, and with residual blocks.
FOLLOWING = ("unet3d", "unet3d-swish", "unet3d-tutorial", "resunet3d")
EDGE = 1e-5
BOUNDS = {"output": 1e-4, "whole_gradient": 1e-4, "gradient": 1e-4, "running_statistics": 1e-4, "curve": 1e-3}
ALL = "unet3d,unet3d-swish,unet3d-tutorial,deepmir,deepmir-swish,resunet3d,unet3d-instance,resnet18,slices,rim,double"


class OneSided(Interpreter):
    """With every ReLU on a given side of its edge and every max pooling's choice given, by results of ours: those of the
    ReLUs and those that are pooled."""

    def __init__(self, network: dict, results: dict[str, torch.Tensor]):
        super().__init__(network)
        self.results, self.disputed, self.farthest = results, 0, 0.0

    def dispute(self, distances: torch.Tensor, scale: torch.Tensor) -> None:
        if distances.numel():
            self.disputed += distances.numel()
            self.farthest = max(self.farthest, (distances.max() / scale).item())

    def layer(self, node: dict, rank: int, weights: dict, given: list, batch: int, training: bool) -> torch.Tensor:
        kind, x = self.kind(node), given[0]
        values = x.detach().abs()
        function = node["layer"][kind].get("function", {}) if kind == "activation" else {}
        if "relu" in function or "leakyRelu" in function:
            side = self.results[node["name"]].reshape(x.shape) > 0
            self.dispute(values[side != (x > 0)], values.max())
            return torch.where(side, x, function.get("leakyRelu", {}).get("slope", 0.0) * x)
        if kind == "pooling" and node["layer"][kind]["settings"]["kind"] == "max":
            s = node["layer"][kind]["settings"]
            pool = F.max_pool3d if rank == 3 else F.max_pool2d
            sizes = [extent(s[key], rank) for key in ("kernel", "stride", "padding")]
            ours = self.results[node["inputs"][0]].reshape(x.shape)
            _, chosen = pool(ours, *sizes, ceil_mode=s["ceilMode"], return_indices=True)
            taken = x.flatten(2).gather(2, chosen.flatten(2)).reshape(chosen.shape)
            short = super().layer(node, rank, weights, given, batch, training).detach() - taken.detach()
            self.dispute(short[short > 0], values.max())
            return taken
        return super().layer(node, rank, weights, given, batch, training)


class Solution:
    """What one side makes of a network: the output for the first batch, the gradients of every batch, the losses of all
    steps and the running statistics after the first."""

    output: list[torch.Tensor]
    gradients: list[dict[str, torch.Tensor]]
    statistics: dict[str, torch.Tensor]
    losses: torch.Tensor

    @staticmethod
    def ours(path: Path, description: dict) -> "Solution":
        result, solution = load_file(path), Solution()

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {key.removeprefix(prefix): value for key, value in result.items() if key.startswith(prefix)}

        solution.output = [result[f"output{n}"] for n in range(len(description["network"]["outputs"]))]
        solution.gradients = [part(f"gradient.{index}.") for index in range(description["batches"])]
        solution.statistics, solution.losses = part("statistics."), result["losses"]
        return solution

    @staticmethod
    def pytorch(
        network: Interpreter, description: dict, weights: dict, batches: list, precision: torch.dtype
    ) -> "Solution":
        solution = Solution()
        running = {key for key in weights if "running_" in key}
        batches = [tuple([x.to(precision) for x in part] for part in batch) for batch in batches]

        def start() -> dict[str, torch.Tensor]:
            return {
                key: value.to(precision, copy=True).requires_grad_(key not in running) for key, value in weights.items()}

        def gradient(learned: dict, index: int) -> torch.Tensor:
            inputs, targets = batches[index]
            value = cost(description["loss"], network.run(learned, inputs, True), targets)
            value.backward()
            return value.detach()

        with torch.no_grad():
            solution.output = network.run(start(), batches[0][0], False)
        solution.gradients = []
        for index in range(len(batches)):
            learned = start()
            gradient(learned, index)
            solution.gradients.append({key: learned[key].grad for key in learned if key not in running})
        learned, losses = start(), []
        optimiser = torch.optim.Adam(
            [value for key, value in learned.items() if key not in running], lr=description["learningRate"])
        for step in range(description["steps"]):
            optimiser.zero_grad()
            losses.append(gradient(learned, step % len(batches)))
            if step == 0:
                solution.statistics = {key: learned[key].clone() for key in running}
            optimiser.step()
        solution.losses = torch.stack(losses)
        return solution

    def distances(self, truth: "Solution") -> dict[str, float]:
        result = {"output": max(relative(a, b) for a, b in zip(self.output, truth.output, strict=True))}
        whole, single = [], []
        for own, expected in zip(self.gradients, truth.gradients, strict=True):
            # A bias before a normalisation has the gradient 0 but for rounding: measured by the largest gradient.
            scale = 0.01 * max(value.abs().max().item() for value in expected.values())
            single += [(relative(own[key], value, scale), key) for key, value in expected.items()]
            whole.append(whole_distance(own, expected))
        result["whole_gradient"] = max(whole)
        self.worst_batch = whole.index(max(whole))
        result["gradient"], self.worst = max(single)
        result["running_statistics"] = max(
            (relative(self.statistics[key], value) for key, value in truth.statistics.items()), default=0.0)
        result["curve"] = ((self.losses.double() - truth.losses).abs() / truth.losses.abs()).max().item()
        return result


def whole_distance(own: dict[str, torch.Tensor], truth: dict[str, torch.Tensor]) -> float:
    squares = sum((own[key].reshape(value.shape).double() - value).square().sum() for key, value in truth.items())
    return (squares / sum(value.square().sum() for value in truth.values())).sqrt().item()


def edges(call: list[str], folder: Path, description: dict, weights: dict, batches: list, own: Solution) -> dict:
    """How much of our distance is a matter of edges."""
    subprocess.run([*call, "--edges", str(own.worst_batch)], check=True)
    results = load_file(folder / "edges.safetensors")
    if not results:
        return {}
    network = OneSided(description["network"], results)
    learned = {key: value.double().requires_grad_("running_" not in key) for key, value in weights.items()}
    inputs, targets = ([x.double() for x in part] for part in batches[own.worst_batch])
    cost(description["loss"], network.run(learned, inputs, True), targets).backward()
    gradient = {key: value.grad for key, value in learned.items() if value.requires_grad}
    return {
        "disputed_edges": network.disputed, "edge_distance": network.farthest,
        "same_sides_gradient": whole_distance(own.gradients[own.worst_batch], gradient)}


def make_batches(network: Interpreter, description: dict, weights: dict, generator: torch.Generator) -> tuple[list, dict]:
    """Inputs and targets of every batch, and all of them by the names that our half reads."""
    batches, files = [], {}
    for index in range(description["batches"]):
        inputs = [torch.randn(*shape, generator=generator) for shape in description["inputs"]]
        with torch.no_grad():
            shapes = [output.shape for output in network.run(dict(weights), inputs, False)]
        targets = []
        for shape in shapes:
            size = (shape[0], *shape[2:]) if shape[1] > 1 else shape
            targets.append(torch.randint(max(2, shape[1]), size, generator=generator).float())
        batches.append((inputs, targets))
        files |= {f"input{n}.{index}": tensor for n, tensor in enumerate(inputs)}
        files |= {f"target{n}.{index}": tensor for n, tensor in enumerate(targets)}
    return batches, files


def check(ours: str, name: str, threads: int, folder: Path) -> dict:
    call = [ours, "--network-check", str(folder), "--network", name, "--threads", str(threads)]
    subprocess.run([*call, "--describe"], check=True)
    description = json.loads((folder / "network.json").read_text())
    network = Interpreter(description["network"])
    generator = torch.Generator().manual_seed(5)
    weights = network.parameters(generator)
    save_file(weights, folder / "weights.safetensors", {"format": "pt"})
    batches, files = make_batches(network, description, weights, generator)
    save_file(files, folder / "batches.safetensors")
    subprocess.run(call, check=True)

    result = Solution.ours(folder / "result.safetensors", description)
    truth = Solution.pytorch(network, description, weights, batches, torch.float64)
    single = Solution.pytorch(network, description, weights, batches, torch.float32)
    own, rounding = result.distances(truth), single.distances(truth)
    line = {"network": name, "threads": threads, "learning_rate": description["learningRate"]}
    failures = {}
    for figure, bound in BOUNDS.items():
        line |= {figure: own[figure], f"{figure}_float32": rounding[figure]}
        allowed = max(bound, FACTOR * rounding[figure])
        # Also where a figure is no number.
        if not own[figure] < allowed and (figure != "curve" or "unet" in name):
            failures[figure] = (f"{figure} is {own[figure]:.2g} from double precision, {allowed:.2g} is allowed")
    line |= edges(call, folder, description, weights, batches, result)
    if line["same_sides_gradient"] < BOUNDS["whole_gradient"] and line["edge_distance"] < EDGE:
        for figure in ("whole_gradient", "gradient"):
            failures.pop(figure, None)
    line["worst_gradient"] = result.worst
    line["curve_to_float32"] = (
        (result.losses - single.losses).abs() / single.losses.abs()).max().item()
    if name in FOLLOWING and not line["curve_to_float32"] < BOUNDS["curve"]:
        failures["curve_to_float32"] = (
            f"the losses part from PyTorch's by {line['curve_to_float32']:.2g}, {BOUNDS['curve']:.2g} is allowed")
    line["first_loss"], line["last_loss"] = truth.losses[0].item(), truth.losses[-1].item()
    return line | {"passed": not failures} | ({"failures": list(failures.values())} if failures else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the executable qsmflow-benchmarks")
    parser.add_argument("--networks", default=ALL)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    failed = False
    for name in options.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            line = check(options.ours, name, options.threads, Path(folder))
        failed |= not line["passed"]
        print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
