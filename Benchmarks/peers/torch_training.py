"""A training in PyTorch by the settings that our model card states: loss, optimiser, schedule, epochs, the weights of the
best epoch or the average of the last ones. The next batch is made while the present one is learned from, as ours does.
"""
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

import validation_metric
from torch_network import cost
from trainable_network import TrainableNetwork


@dataclass
class Trained:
    weights: dict[str, torch.Tensor]
    training_losses: list[float] = field(default_factory=list)
    metrics: list[float] = field(default_factory=list)


def learning_rate(settings: dict, epoch: int, batch: int, batches: int) -> float:
    averaging = settings.get("averaging")
    if averaging and averaging.get("learningRate") and epoch >= averaging["firstEpoch"]:
        return averaging["learningRate"]
    schedule = settings["schedule"]
    within = batch / batches if schedule["pace"] == "batch" else 0
    done = (epoch + within) / settings["epochs"]
    kind, shape = next(iter(schedule["shape"].items()))
    rate = schedule["base"]
    if kind == "step":
        rate *= shape["factor"] ** (epoch // shape["everyEpochs"])
    elif kind == "polynomial":
        rate *= (1 - done) ** shape["power"]
    elif kind == "cosine":
        rate = shape["minimum"] + (rate - shape["minimum"]) * (1 + math.cos(math.pi * done)) / 2
    before = epoch * batches + batch
    warm = schedule["warmUpBatches"]
    return rate * (before + 1) / warm if before < warm else rate


def optimiser(settings: dict, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    kind, values = next(iter(settings["optimiser"].items()))
    decay = values["weightDecay"]
    if kind == "sgd":
        return torch.optim.SGD(
            parameters, 1, values["momentum"], nesterov=values["nesterov"], weight_decay=decay)
    make = torch.optim.AdamW if kind == "adamW" else torch.optim.Adam
    return make(parameters, 1, (values["beta1"], values["beta2"]), values["epsilon"], decay)


class Training:
    def __init__(self, network: TrainableNetwork, settings: dict, metric: str, classes: int, output: int):
        """
        - metric: its name as the curve of ours has it; "loss" for the loss.
        - output: of the network, that the metric looks at.
        """
        self.network, self.settings, self.metric = network, settings, metric
        self.classes, self.output = classes, output

    def run(self, weights: dict[str, torch.Tensor], samples, judged) -> Trained:
        weights = {
            name: self.network.laid_out(value.clone()).requires_grad_("running_" not in name)
            for name, value in weights.items()}
        learned = [value for value in weights.values() if value.requires_grad]
        stepper = optimiser(self.settings, learned)
        result, best, average, averaged = Trained(weights), None, None, 0
        averaging = self.settings.get("averaging")
        epochs = self.settings["epochs"]
        places = [(epoch, number) for epoch in range(epochs) for number in range(samples.batches)]
        with ThreadPoolExecutor(1) as maker:
            following = maker.submit(samples.make, *places[0])
            for turn, (epoch, number) in enumerate(places):
                batch = following.result()
                if turn + 1 < len(places):
                    following = maker.submit(samples.make, *places[turn + 1])
                if number == 0:
                    losses, images = 0.0, 0
                count = len(batch[0][0])
                losses += self.step(weights, learned, stepper, batch, epoch, number, samples.batches) * count
                images += count
                if number + 1 < samples.batches:
                    continue
                result.training_losses.append(losses / images)
                if averaging and epoch >= averaging["firstEpoch"]:
                    averaged += 1
                    if average is None:
                        average = {name: value.detach().clone() for name, value in weights.items()}
                    for name, value in weights.items():
                        if value.requires_grad:
                            average[name] += (value.detach() - average[name]) / averaged
                if judged is not None:
                    value = self.judge(weights, judged)
                    better = not result.metrics or (
                        value < min(result.metrics) if self.metric == "loss" else value > max(result.metrics))
                    result.metrics.append(value)
                    if better:
                        best = {name: value.detach().clone() for name, value in weights.items()}
        if average is not None:
            self.renew_statistics(average, samples, epochs)
            result.weights = average
        elif best is not None:
            result.weights = best
        else:
            result.weights = {name: value.detach() for name, value in weights.items()}
        return result

    def step(self, weights, learned, stepper, batch, epoch: int, number: int, batches: int) -> float:
        inputs, targets = self.tensors(batch)
        rate = learning_rate(self.settings, epoch, number, batches)
        for group in stepper.param_groups:
            group["lr"] = rate
        stepper.zero_grad()
        loss = self.loss(weights, inputs, targets, epoch, number)
        loss.backward()
        if norm := self.settings.get("largestGradientNorm"):
            torch.nn.utils.clip_grad_norm_(learned, norm)
        stepper.step()
        return loss.item()

    def loss(self, weights, inputs, targets, epoch: int, number: int) -> torch.Tensor:
        positive = targets[0].numpy().ravel() > 0.5 if targets[0].dim() < 3 else None
        outputs = self.network.learn(weights, inputs, epoch, number, positive)
        if self.network.synthetic:
            # Synthetic samples are all of the rare class.
            targets = [torch.cat([targets[0], torch.ones(self.network.synthetic, *targets[0].shape[1:])])]
        return cost(self.settings["loss"], outputs, targets)

    def tensors(self, batch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        inputs = [self.network.laid_out(torch.from_numpy(np.ascontiguousarray(array))) for array in batch[0]]
        return inputs, [torch.from_numpy(np.ascontiguousarray(array)) for array in batch[1]]

    @torch.no_grad()
    def judge(self, weights, judged) -> float:
        total, losses, images = 0, 0.0, 0
        for number in range(judged.batches):
            inputs, targets = self.tensors(judged.make(0, number))
            outputs = self.network.run(weights, inputs, False)
            losses += cost(self.settings["loss"], outputs, targets).item() * len(inputs[0])
            images += len(inputs[0])
            if self.metric != "loss":
                total = total + validation_metric.shares(
                    self.metric, self.classes, outputs[self.output], targets[self.output])
        return losses / images if self.metric == "loss" else validation_metric.value(total)

    @torch.no_grad()
    def renew_statistics(self, average, samples, epoch: int) -> None:
        """Running statistics of averaged weights: the mean over all batches, as update_bn computes them."""
        if not any("running_" in name for name in average):
            return
        for number in range(samples.batches):
            inputs, targets = self.tensors(samples.make(epoch, number))
            self.network.momentum = 1 / (number + 1)
            self.loss(average, inputs, targets, epoch, number)
        self.network.momentum = None
