"""Our networks and losses in PyTorch, read from the JSON in which we store them: the reference of network_check.py,
layer_check.py and whole_networks.py. Works in the precision of the tensors it is given."""
import torch
import torch.nn.functional as F


def extent(value: dict, rank: int) -> tuple:
    full = (value["depth"], value["height"], value["width"])
    return full if rank == 3 else full[1:]


class Interpreter:
    """A network read from JSON, as functions on tensors named after our parameters."""

    def __init__(self, network: dict):
        self.network = network
        self.ranks = {value["name"]: value["rank"] for value in network["inputs"]}

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
                if settings["isAffine"]:
                    made[f"{name}.weight"] = 1 + 0.2 * random(channels)
                    made[f"{name}.bias"] = 0.2 * random(channels)
                if "batch" in settings["kind"]:
                    made[f"{name}.running_mean"] = 0.1 * random(channels)
                    made[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)
            elif kind == "prelu":
                made[f"{name}.weight"] = 0.25 + 0.1 * random(layer["slopes"])
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
        values = self.values(weights, inputs, training)
        return [values[name] for name in self.network["outputs"]]

    def values(self, weights: dict, inputs: list[torch.Tensor], training: bool) -> dict[str, torch.Tensor]:
        """Everything the network computes, by the name of the input or node."""
        values = {value["name"]: x for value, x in zip(self.network["inputs"], inputs)}
        batch = inputs[0].shape[0]
        for node in self.network["nodes"]:
            rank = self.rank(node)
            given = [values[name] for name in node["inputs"]]
            values[node["name"]] = self.layer(node, rank, weights, given, batch, training)
        return values

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
        if kind == "prelu":
            return F.prelu(x, weight)
        if kind == "softmax":
            return F.softmax(x, 1)
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
            factor = given[1]
            return x * factor.reshape(*factor.shape, *[1] * (x.dim() - factor.dim()))
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
    """The weighted sum of the terms. Targets are classes, (batch, positions …), or values in the shape of the output."""
    total = outputs[0].new_zeros(())
    for term in loss["terms"]:
        kind, settings = next(iter(term["kind"].items()))
        value = TERMS[kind](settings.get("settings", {}), outputs[term["output"]], targets[term["output"]])
        total = total + term["weight"] * value
    return total


def cross_entropy(settings: dict, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(
        logits, target.long(), per_class(settings, "classWeights", logits),
        ignore_index=ignored(settings))


def focal(settings: dict, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    counts = target != ignored(settings)
    target = torch.where(counts, target, 0).long()
    log = F.log_softmax(logits, 1).gather(1, target.unsqueeze(1)).squeeze(1)
    value = -((1 - log.exp()) ** settings["gamma"]) * log
    weights = per_class(settings, "classWeights", logits)
    if weights is not None:
        value = value * weights[target]
    return value[counts].mean()


def dice(settings: dict, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    channels = logits.shape[1]
    p = F.softmax(logits, 1) if settings["probabilities"] == "softmax" else torch.sigmoid(logits)
    if target.dim() == logits.dim() and target.shape == logits.shape:
        t = target
    else:
        counts = (target != ignored(settings)).unsqueeze(1).to(p)
        target = torch.where(target == ignored(settings), 0, target).long()
        t = target.unsqueeze(1) if channels == 1 else F.one_hot(target, channels).movedim(-1, 1)
        p, t = p * counts, t.to(p) * counts
    axes = tuple(range(2, p.dim()))
    if not settings["perImage"]:
        axes = (0, *axes)

    def sums(x: torch.Tensor) -> torch.Tensor:
        return x.sum(axes) if axes else x

    power = 2 if settings["squaredDenominator"] else 1
    above = 2 * sums(p * t) + settings["smoothNumerator"]
    below = sums(p**power) + sums(t**power) + settings["smoothDenominator"]
    value = 1 - above / below
    weights = per_class(settings, "classWeights", logits)
    if weights is not None:
        value = value * weights
    return value[..., 0 if settings["includesBackground"] or channels == 1 else 1:].mean()


def binary_cross_entropy(settings: dict, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    weights = per_class(settings, "positiveWeights", logits)
    if weights is not None:
        weights = weights.reshape(-1, *[1] * (logits.dim() - 2))
    return F.binary_cross_entropy_with_logits(logits, target.reshape(logits.shape), pos_weight=weights)


def mean_squared_error(_: dict, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(logits, target.reshape(logits.shape))


TERMS = {
    "crossEntropy": cross_entropy, "focal": focal, "dice": dice, "binaryCrossEntropy": binary_cross_entropy,
    "meanSquaredError": mean_squared_error,
}


def per_class(settings: dict, name: str, like: torch.Tensor) -> torch.Tensor | None:
    values = settings.get(name)
    return None if values is None else torch.tensor(values).to(like)


def ignored(settings: dict) -> int:
    value = settings.get("ignoredClass")
    return -1 if value is None else value


def relative(ours: torch.Tensor, theirs: torch.Tensor, scale: float | None = None) -> float:
    """Largest difference by the largest value (or a larger scale)."""
    ours = ours.reshape(theirs.shape).double()
    difference = (ours - theirs.double()).abs().max().item()
    return difference / max(theirs.abs().max().item(), scale or 0, 1e-12)
