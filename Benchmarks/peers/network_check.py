#!/usr/bin/env python3
"""Builds our networks in PyTorch from their JSON, gives both sides the same weights and batches, and compares outputs,
gradients, running statistics and the losses of twenty steps of Adam.

Weights and batches are made by PyTorch and cross over as safetensors files, so that reading and writing them is compared
as well. One line of JSON per network; exits with 1 where a difference is larger than allowed.
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

OUTPUT, GRADIENT, EDGES, CURVE = 1e-4, 1e-4, 3e-2, 1e-3
ALL = "unet3d,unet3d-swish,unet3d-tutorial,deepmir,deepmir-swish,resunet3d,unet3d-instance,resnet18,slices,rim,double"


def extent(value: dict, rank: int) -> tuple:
    full = (value["depth"], value["height"], value["width"])
    return full if rank == 3 else full[1:]


class Interpreter:
    """A network read from JSON, as functions on tensors named after our parameters."""

    def __init__(self, network: dict):
        self.network = network
        self.ranks = {value["name"]: value["rank"] for value in network["inputs"]}
        functions = [
            node["layer"]["activation"]["function"] for node in network["nodes"] if self.kind(node) == "activation"]
        self.has_edges = any("relu" in function or "leakyRelu" in function for function in functions)
        self.is_random = any(self.kind(node) in ("dropout", "deepSMOTE") for node in network["nodes"])

    @staticmethod
    def kind(node: dict) -> str:
        return next(iter(node["layer"]))

    def parameters(self, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Fresh weights and running statistics; none has the value it would have by itself."""
        made: dict[str, torch.Tensor] = {}

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator)

        for node in self.network["nodes"]:
            name, kind = node["name"], self.kind(node)
            layer = node["layer"][kind]
            rank = self.rank(node)
            if kind in ("convolution", "transposedConvolution"):
                g = layer["geometry"]
                kernel = extent(g["kernel"], rank)
                first, second = g["outputChannels"], g["inputChannels"] // g["groups"]
                if kind == "transposedConvolution":
                    first, second = g["inputChannels"], g["outputChannels"] // g["groups"]
                window = torch.Size(kernel).numel()
                made[f"{name}.weight"] = random(first, second, *kernel) * (2 / (second * window)) ** 0.5
                if layer["bias"]:
                    made[f"{name}.bias"] = 0.1 * random(g["outputChannels"])
            elif kind == "linear":
                made[f"{name}.weight"] = random(layer["outputs"], layer["inputs"]) * layer["inputs"] ** -0.5
                if layer["bias"]:
                    made[f"{name}.bias"] = 0.1 * random(layer["outputs"])
            elif kind == "normalisation":
                settings = layer["settings"]
                channels = settings["channels"]
                made[f"{name}.weight"] = 1 + 0.2 * random(channels)
                made[f"{name}.bias"] = 0.2 * random(channels)
                if "batch" in settings["kind"]:
                    made[f"{name}.running_mean"] = 0.1 * random(channels)
                    made[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)
            elif kind == "bidirectionalLSTM":
                rows, scale = 4 * layer["hidden"], layer["hidden"] ** -0.5
                for direction in ("", "_reverse"):
                    made[f"{name}.weight_ih_l0{direction}"] = scale * random(rows, layer["inputs"])
                    made[f"{name}.weight_hh_l0{direction}"] = scale * random(rows, layer["hidden"])
                    made[f"{name}.bias_ih_l0{direction}"] = scale * random(rows)
                    made[f"{name}.bias_hh_l0{direction}"] = scale * random(rows)
        return made

    def rank(self, node: dict) -> int:
        rank = self.ranks[node["inputs"][0]]
        kind = self.kind(node)
        result = {"slicesToBatch": 2, "batchToSequence": 1, "globalAveragePooling": 0, "globalMaxPooling": 0}
        self.ranks[node["name"]] = result.get(kind, rank)
        return rank

    def run(self, weights: dict, inputs: list[torch.Tensor], training: bool) -> list[torch.Tensor]:
        values = {value["name"]: x for value, x in zip(self.network["inputs"], inputs)}
        batch = inputs[0].shape[0]
        for node in self.network["nodes"]:
            rank = self.rank(node)
            given = [values[name] for name in node["inputs"]]
            values[node["name"]] = self.layer(node, rank, weights, given, batch, training)
        return [values[name] for name in self.network["outputs"]]

    def layer(self, node: dict, rank: int, weights: dict, given: list, batch: int, training: bool) -> torch.Tensor:
        name, kind = node["name"], self.kind(node)
        layer, x = node["layer"][kind], given[0]
        weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        if kind == "convolution":
            g = layer["geometry"]
            convolve = F.conv3d if rank == 3 else F.conv2d
            return convolve(
                x, weight, bias, extent(g["stride"], rank), extent(g["padding"], rank), extent(g["dilation"], rank),
                g["groups"])
        if kind == "transposedConvolution":
            g = layer["geometry"]
            convolve = F.conv_transpose3d if rank == 3 else F.conv_transpose2d
            return convolve(
                x, weight, bias, extent(g["stride"], rank), extent(g["padding"], rank),
                extent(g["outputPadding"], rank), g["groups"], extent(g["dilation"], rank))
        if kind == "linear":
            return F.linear(x, weight, bias)
        if kind == "normalisation":
            settings = layer["settings"]
            form, epsilon = settings["kind"], settings["epsilon"]
            if "batch" in form:
                return F.batch_norm(
                    x, weights[f"{name}.running_mean"], weights[f"{name}.running_var"], weight, bias, training,
                    settings["momentum"], epsilon)
            if "instance" in form:
                return F.instance_norm(x, None, None, weight, bias, True, 0, epsilon)
            return F.group_norm(x, form["group"]["groups"], weight, bias, epsilon)
        if kind == "activation":
            form, settings = next(iter(layer["function"].items()))
            return {
                "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "swish": F.silu,
                "leakyRelu": lambda x: F.leaky_relu(x, settings.get("slope")),
            }[form](x)
        if kind == "pooling":
            s = layer["settings"]
            sizes = [extent(s[key], rank) for key in ("kernel", "stride", "padding")]
            if s["kind"] == "max":
                return (F.max_pool3d if rank == 3 else F.max_pool2d)(x, *sizes, ceil_mode=s["ceilMode"])
            return (F.avg_pool3d if rank == 3 else F.avg_pool2d)(
                x, *sizes, s["ceilMode"], s["countIncludesPadding"])
        if kind == "globalAveragePooling":
            return x.mean(dim=tuple(range(2, x.dim())))
        if kind == "globalMaxPooling":
            return x.amax(dim=tuple(range(2, x.dim())))
        if kind == "upsampling":
            s = layer["settings"]
            scale = extent(s["scale"], rank)
            if s["kind"] == "nearest":
                return F.interpolate(x, scale_factor=scale, mode="nearest")
            mode = "trilinear" if rank == 3 else "bilinear"
            return F.interpolate(x, scale_factor=scale, mode=mode, align_corners=s["alignCorners"])
        if kind == "concatenation":
            return torch.cat(given, 1)
        if kind == "addition":
            return sum(given[1:], x)
        if kind == "multiplication":
            return x * given[1]
        if kind in ("dropout", "deepSMOTE"):
            assert not training
            return x
        if kind == "slicesToBatch":
            return x.transpose(1, 2).flatten(0, 1)
        if kind == "batchToSequence":
            return x.unflatten(0, (batch, -1)).transpose(1, 2)
        if kind == "bidirectionalLSTM":
            names = [
                f"{name}.{part}_l0{direction}" for direction in ("", "_reverse")
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            state = x.new_zeros(2, x.shape[0], layer["hidden"])
            result, _, _ = torch.lstm(
                x.transpose(1, 2), (state, state), [weights[key] for key in names], True, 1, 0.0, training, True, True)
            return result.transpose(1, 2)
        if kind == "centreCrop":
            divisors = extent(layer["divisor"], rank)
            for axis, divisor in enumerate(divisors, 2):
                length = x.shape[axis] // divisor
                x = x.narrow(axis, (x.shape[axis] - length) // 2, length)
            return x
        raise ValueError(f"{name}: no layer {kind} on this side")


def cost(loss: dict, outputs: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
    total = outputs[0].new_zeros(())
    for term in loss["terms"]:
        kind, settings = next(iter(term["kind"].items()))
        settings = settings.get("settings", {})
        logits, target = outputs[term["output"]], targets[term["output"]]
        if kind == "crossEntropy":
            value = F.cross_entropy(logits, target.long())
        elif kind == "focal":
            log = F.log_softmax(logits, 1).gather(1, target.long().unsqueeze(1))
            value = (-((1 - log.exp()) ** settings["gamma"]) * log).mean()
        elif kind == "dice":
            p = F.softmax(logits, 1)
            t = F.one_hot(target.long(), logits.shape[1]).movedim(-1, 1).to(p)
            axes = tuple(range(2, p.dim()))
            above = 2 * (p * t).sum(axes) + settings["smoothNumerator"]
            below = p.sum(axes) + t.sum(axes) + settings["smoothDenominator"]
            value = (1 - above / below)[:, 0 if settings["includesBackground"] else 1:].mean()
        elif kind == "binaryCrossEntropy":
            value = F.binary_cross_entropy_with_logits(logits.flatten(), target.flatten())
        else:
            raise ValueError(f"no loss {kind} on this side")
        total = total + term["weight"] * value
    return total


def relative(ours: torch.Tensor, theirs: torch.Tensor, scale: float | None = None) -> float:
    """Largest difference by the largest value (or a larger scale)."""
    ours = ours.reshape(theirs.shape).double()
    difference = (ours - theirs.double()).abs().max().item()
    return difference / max(theirs.abs().max().item(), scale or 0, 1e-12)


def train(network: Interpreter, description: dict, weights: dict, batches: list) -> tuple:
    """Losses of all steps; gradients of the first, and running statistics after it."""
    running = {key for key in weights if "running_" in key}
    learned = {key: value.clone().requires_grad_(key not in running) for key, value in weights.items()}
    optimiser = torch.optim.Adam(
        [value for key, value in learned.items() if key not in running], lr=description["learningRate"])
    losses, gradients, statistics = [], {}, {}
    for step in range(description["steps"]):
        inputs, targets = batches[step % len(batches)]
        optimiser.zero_grad()
        value = cost(description["loss"], network.run(learned, inputs, True), targets)
        value.backward()
        if step == 0:
            gradients = {key: learned[key].grad.clone() for key in learned if key not in running}
            statistics = {key: learned[key].clone() for key in running}
        optimiser.step()
        losses.append(value.item())
    return torch.tensor(losses), gradients, statistics


def check(ours: str, name: str, threads: int, folder: Path) -> dict:
    call = [ours, "--network-check", str(folder), "--network", name, "--threads", str(threads)]
    subprocess.run([*call, "--describe"], check=True)
    description = json.loads((folder / "network.json").read_text())
    network, loss = Interpreter(description["network"]), description["loss"]
    generator = torch.Generator().manual_seed(5)
    weights = network.parameters(generator)
    save_file(weights, folder / "weights.safetensors", {"format": "pt"})
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
    save_file(files, folder / "batches.safetensors")
    subprocess.run(call, check=True)
    result = load_file(folder / "result.safetensors")

    with torch.no_grad():
        expected = network.run(dict(weights), batches[0][0], False)
    line = {"network": name, "threads": threads}
    line["output"] = max(relative(result[f"output{n}"], output) for n, output in enumerate(expected))
    passed = line["output"] < OUTPUT
    if not network.is_random:
        losses, gradients, statistics = train(network, description, weights, batches)
        # A bias before a normalisation has the gradient 0 but for rounding: measured by the largest gradient.
        scale = 0.01 * max(gradient.abs().max().item() for gradient in gradients.values())
        line["gradient"], line["worst_gradient"] = max(
            (relative(result[f"gradient.{key}"], gradient, scale), key) for key, gradient in gradients.items())
        squares = sum((result[f"gradient.{key}"] - gradient).square().sum() for key, gradient in gradients.items())
        line["whole_gradient"] = (squares / sum(g.square().sum() for g in gradients.values())).sqrt().item()
        line["running_statistics"] = max(
            (relative(result[f"statistics.{key}"], value) for key, value in statistics.items()), default=0.0)
        line["curve"] = ((result["losses"] - losses).abs() / losses.abs()).max().item()
        line["first_loss"], line["last_loss"] = losses[0].item(), losses[-1].item()
        # Where a value lies within rounding of a ReLU's edge, rounding decides whether its gradient counts, and single
        # gradients differ by more than rounding (PyTorch's from its own in double precision as well): networks without
        # such edges are held to every single gradient, the others to the gradient as a whole.
        gradient, allowed = ("whole_gradient", EDGES) if network.has_edges else ("gradient", GRADIENT)
        passed = passed and line[gradient] < allowed
        passed = passed and line["running_statistics"] < OUTPUT and line["curve"] < CURVE
    line["passed"] = passed
    return line


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
