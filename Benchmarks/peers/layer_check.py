#!/usr/bin/env python3
"""Every layer and every loss beside PyTorch, on random shapes: outputs in training and at inference, the loss, running
statistics, and the gradients of every input and parameter.

PyTorch in double precision is the truth. Each line tells, for one kind of layer, how far we are from it at worst, and how
far PyTorch in single precision is: the largest difference, relative to the largest value of the tensor. Exits with 1
where we are 1e-4 or further away, or where another number of threads gives other bits.

DeepSMOTE is missing, which PyTorch has no layer for; its tests are in Tests/NetworksTests. Dropout is compared given what
was dropped, and the share of that.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from case_drawing import Case, Draw
from layer_cases import LAYERS
from loss_cases import LOSSES
from torch_network import Interpreter, cost, relative

ALLOWED = 1e-4


class Network(Interpreter):
    """With what dropout kept, where it is known."""

    kept: torch.Tensor | None = None

    def layer(self, node: dict, rank: int, weights: dict, given: list, batch: int, training: bool) -> torch.Tensor:
        if self.kind(node) == "dropout" and training:
            # Our probabilities are multiples of 2⁻¹⁶; what is kept is enlarged by the factor that belongs to that.
            probability = round(65536 * node["layer"]["dropout"]["probability"]) / 65536
            return given[0] * self.kept.to(given[0]) / (1 - probability)
        return super().layer(node, rank, weights, given, batch, training)


class Problem:
    """A case with its numbers."""

    def __init__(self, case: Case, generator: torch.Generator):
        self.case, self.network = case, Network(case.network)
        self.weights = self.network.parameters(generator)
        self.inputs = []
        for value in case.network["inputs"]:
            shape = (case.size[0], value["channels"], *(case.size[1:] if value["rank"] else ()))
            if case.whole:
                self.inputs.append(torch.randint(-3, 4, shape, generator=generator).float())
            else:
                self.inputs.append(case.scale * torch.randn(shape, generator=generator) + 0.3)
        inputs, weights = self.typed(torch.float64)
        self.has_dropout = any(self.network.kind(node) == "dropout" for node in case.network["nodes"])
        values = self.network.values(weights, inputs, training=not self.has_dropout)
        self.target = self.targets(values, generator)

    def typed(self, precision: torch.dtype) -> tuple[list, dict]:
        weights = {name: value.to(precision, copy=True) for name, value in self.weights.items()}
        return [x.to(precision, copy=True) for x in self.inputs], weights

    def targets(self, values: dict, generator: torch.Generator) -> torch.Tensor:
        case, output = self.case, values[self.case.network["outputs"][0]]
        kinds = {kind for term in case.loss["terms"] for kind in term["kind"]}
        if case.classes:
            shape = (output.shape[0], *output.shape[2:])
            target = torch.randint(max(2, output.shape[1]), shape, generator=generator)
            if case.ignored is not None:
                target[torch.rand(shape, generator=generator) < 0.3] = case.ignored
                # Where nothing counts PyTorch's mean is no number, and ours is zero.
                target.view(-1)[0] = 1 if case.ignored == 0 else 0
            return target.float()
        if kinds & {"dice", "binaryCrossEntropy"}:
            target = torch.rand(output.shape, generator=generator)
            return torch.where(torch.rand(output.shape, generator=generator) < 0.5, target.round(), target)
        target = torch.randn(output.shape, generator=generator) + 0.5
        if case.edge:
            # On the edge of a ReLU rounding decides whether there is a gradient: none is wanted there.
            before = values[case.edge].abs()
            target = torch.where(before < 1e-4 * before.max(), output.float(), target)
        return target

    def solve(self, precision: torch.dtype) -> dict[str, torch.Tensor]:
        """What our half computes, by its names."""
        inputs, weights = self.typed(precision)
        with torch.no_grad():
            result = {"folded0": self.network.run(weights, inputs, False)[0]}
        learned = [name for name in weights if "running_" not in name]
        for tensor in inputs + [weights[name] for name in learned]:
            tensor.requires_grad_()
        values = self.network.values(weights, inputs, True)
        output = values[self.case.network["outputs"][0]]
        for node in self.case.network["nodes"]:
            values[node["name"]].retain_grad()
        loss = cost(self.case.loss, [output], [self.target.to(precision)])
        loss.backward()
        # What the gradients of biases are sums of.
        self.summands = {
            f"gradient.{name}.bias": value.grad.abs().transpose(0, 1).flatten(1).sum(1).max().item()
            for name, value in values.items() if f"{name}.bias" in weights and value.grad is not None}
        result |= {"plain0": result["folded0"], "output0": output.detach(), "loss": loss.detach().reshape(1)}
        result |= {f"input_gradient{n}": x.grad for n, x in enumerate(inputs)}
        result |= {f"gradient.{name}": weights[name].grad for name in learned}
        return result | {f"statistics.{name}": weights[name] for name in weights if name not in learned}

    def scales(self, truth: dict[str, torch.Tensor]) -> dict[str, float]:
        """By what a difference is divided where that is more than the largest value."""
        nodes = [node for node in self.case.network["nodes"] if self.network.kind(node) == "normalisation"]
        if not nodes:
            return {}
        # Before a normalisation a bias has no gradient: what it is the sum of cancels.
        norm = nodes[0]["name"]
        scales = {name: value for name, value in self.summands.items() if name != f"gradient.{norm}.bias"}
        if self.case.members and self.case.members < 8:
            # The gradient of a few values is what is left of terms that cancel: for two values, nearly nothing.
            settings = nodes[0]["layer"]["normalisation"]["settings"]
            x = self.inputs[0].double()
            groups = next(iter(settings["kind"].values())).get("groups", settings["channels"])
            sets = x.transpose(0, 1).flatten(1) if "batch" in settings["kind"] else x.reshape(len(x), groups, -1)
            inverse = (sets.var(-1, unbiased=False) + settings["epsilon"]).rsqrt().max()
            weight = self.weights.get("norm.weight", torch.ones(1)).abs().max()
            slope = 2 * (truth["output0"] - self.target).abs().max() / self.target.numel()
            scales["input_gradient0"] = 0.01 * (inverse * weight * slope).item()
        return scales

    def take_dropped(self, ours: dict[str, torch.Tensor]) -> str | None:
        """Lets PyTorch drop what we dropped; what is wrong with that, if anything."""
        layer = next(node["layer"] for node in self.case.network["nodes"] if "dropout" in node["layer"])["dropout"]
        kept = (ours["output0"] != 0).reshape(self.inputs[0].shape)
        self.network.kept = kept.double()
        if layer["wholeChannels"]:
            flat = kept.reshape(*kept.shape[:2], -1)
            if (flat.all(-1) != flat.any(-1)).any():
                return "parts of channels were dropped"
            kept = flat[..., 0]
        p, n = layer["probability"], kept.numel()
        if abs((~kept).sum().item() - n * p) > 5 * math.sqrt(n * p * (1 - p)) + 1:
            return f"{(~kept).sum().item()} of {n} were dropped with the probability {p}"
        return None


def distance(a: torch.Tensor, truth: torch.Tensor, scale: float) -> float:
    value = relative(a, truth, scale)
    return value if math.isfinite(value) else math.inf


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key].view(torch.int32), b[key].view(torch.int32)) for key in a)


def ours(program: str, problems: list[Problem], threads: list[int]) -> list[list[dict[str, torch.Tensor]]]:
    """For every number of threads and every problem, what our half computes."""
    with tempfile.TemporaryDirectory() as folder:
        tensors, cases = {}, []
        for n, problem in enumerate(problems):
            case = problem.case
            cases.append({"network": case.network, "loss": case.loss, "classes": case.classes})
            tensors |= {f"{n}.input{i}": x for i, x in enumerate(problem.inputs)}
            tensors |= {f"{n}.weight.{name}": value for name, value in problem.weights.items()}
            tensors[f"{n}.target0"] = problem.target
        Path(folder, "cases.json").write_text(json.dumps(cases))
        save_file({name: x.contiguous() for name, x in tensors.items()}, Path(folder, "cases.safetensors"))
        runs = []
        for count in threads:
            subprocess.run([program, "--layer-check", folder, "--threads", str(count)], check=True)
            results: list[dict] = [{} for _ in problems]
            for key, value in load_file(Path(folder, "result.safetensors")).items():
                number, name = key.split(".", 1)
                results[int(number)][name] = value
            runs.append(results)
        return runs


def compare(problem: Problem, results: list[dict[str, torch.Tensor]]) -> tuple[dict, list[str]]:
    """For every tensor, our distance and PyTorch's; and whatever else is wrong."""
    wrong = []
    if problem.has_dropout and (problem_text := problem.take_dropped(results[0])):
        wrong.append(problem_text)
    if not all(same_bits(results[0], other) for other in results[1:]):
        wrong.append("another number of threads gives other bits")
    single, truth = problem.solve(torch.float32), problem.solve(torch.float64)
    if missing := truth.keys() ^ results[0].keys():
        return {}, [f"only one side has {', '.join(sorted(missing))}"]
    scales = problem.scales(truth)
    distances = {}
    for name, expected in truth.items():
        scale = scales.get(name, 0)
        distances[name] = (
            distance(results[0][name], expected, scale), distance(single[name], expected, scale))
    return distances, wrong


def check(kind: str, seed: int, threads: list[int], problems: list[Problem], runs: list) -> dict:
    line = {"kind": kind, "seed": seed, "threads": threads, "cases": len(problems), "ours": 0.0, "pytorch_float32": 0.0}
    failures = []
    for n, problem in enumerate(problems):
        distances, wrong = compare(problem, [results[n] for results in runs])
        for name, (own, single) in distances.items():
            if own >= line["ours"]:
                line |= {"ours": own, "where": name}
            line["pytorch_float32"] = max(line["pytorch_float32"], single)
            if not own < ALLOWED:
                wrong.append(f"{name} differs by {own:.2g}, PyTorch's own by {single:.2g}")
        if wrong:
            case = problem.case
            failures.append({"case": n, "wrong": wrong, "network": case.network, "size": case.size, "loss": case.loss})
    line["passed"] = not failures
    if failures:
        line["failures"] = failures[:5]
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the executable qsmflow-benchmarks")
    parser.add_argument("--seeds", default="1,2,3", help="one run each")
    parser.add_argument("--threads", default="1,2", help="all of which have to give the same bits")
    parser.add_argument("--cases", type=int, default=20, help="of every kind, for each seed")
    parser.add_argument("--kinds", default="", help="only those whose names begin so")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threads = [int(count) for count in options.threads.split(",")]
    failed = False
    for seed in map(int, options.seeds.split(",")):
        problems: dict[str, list[Problem]] = {}
        for kind, make in (LAYERS | LOSSES).items():
            if kind.startswith(options.kinds):
                generator = torch.Generator().manual_seed(seed)
                draw = Draw(f"{kind} {seed}")
                problems[kind] = [Problem(make(draw), generator) for _ in range(options.cases)]
        everything = [problem for group in problems.values() for problem in group]
        runs = ours(options.ours, everything, threads)
        for n, (kind, group) in enumerate(problems.items()):
            part = slice(n * options.cases, (n + 1) * options.cases)
            line = check(kind, seed, threads, group, [results[part] for results in runs])
            failed |= not line["passed"]
            print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
