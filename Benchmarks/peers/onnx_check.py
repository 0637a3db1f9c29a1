"""Networks of nnU-Net, MONAI and torchvision, exported from PyTorch to ONNX in both forms, run by qsmflow and by ONNX
Runtime on the same input: the largest difference relative to the largest value, and the time of both.

    pip install -r onnx-requirements.txt
    python onnx_check.py --ours .build/release/qsmflow-benchmarks [--edge 32] [--threads 1] [--only NAME]

One line of JSON per model; ends with status 1 when a model fails or differs by more than the tolerance.
"""

import argparse
import io
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

TOLERANCE = 1e-3


def plain_unet(dimensions, channels, edge):
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    convolution, norm = [(nn.Conv2d, nn.InstanceNorm2d), (nn.Conv3d, nn.InstanceNorm3d)][dimensions - 2]
    strides = [[1] * dimensions] + [[2] * dimensions] * 3
    network = PlainConvUNet(
        channels, 4, (32, 64, 128, 256), convolution, 3, strides, 2, 3, 2, True, norm,
        {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True}, deep_supervision=False)
    return network, (1, channels) + (edge,) * dimensions


def residual_unet(edge):
    from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet

    network = ResidualEncoderUNet(
        1, 4, (16, 32, 64, 96), nn.Conv3d, 3, [[1] * 3] + [[2] * 3] * 3, (1, 2, 2, 2), 3, (1, 1, 1), True,
        nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True},
        deep_supervision=False)
    return network, (1, 1, edge, edge, edge)


def monai(name, *arguments, channels=1, edge=32, **options):
    from monai.networks import nets

    return getattr(nets, name)(*arguments, **options), (1, channels, edge, edge, edge)


def transposed_normalisation(edge):
    """Layers that the others leave out: group normalisation, Swish, linear upsampling, a flattened map."""

    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv3d(2, 24, 3, stride=2, padding=1, bias=False)
            self.norm = nn.GroupNorm(4, 24)
            self.down = nn.Conv3d(24, 24, 5, padding=4, dilation=2, groups=4)
            self.batch = nn.BatchNorm3d(24)
            self.up = nn.Upsample(scale_factor=2, mode="trilinear", align_corners=False)
            self.pool = nn.AvgPool3d(3, 2, 1)
            self.head = nn.Linear(24 * (edge // 2) ** 3, 7)

        def forward(self, x):
            x = torch.nn.functional.silu(self.norm(self.stem(x)))
            x = torch.sigmoid(self.batch(torch.tanh(self.down(x)))) * 2 - 0.5
            x = self.pool(self.up(x))
            return torch.softmax(self.head(torch.flatten(x, 1)), dim=1)

    return Mixture(), (2, 2, edge, edge, edge)


def torchvision_resnet():
    import torchvision

    return torchvision.models.resnet18(num_classes=5), (2, 3, 64, 64)


def models(edge):
    yield "nnunet-3d", lambda: plain_unet(3, 1, edge)
    yield "nnunet-2d", lambda: plain_unet(2, 2, 2 * edge)
    yield "nnunet-residual", lambda: residual_unet(edge)
    yield "monai-unet", lambda: monai(
        "UNet", 3, 2, 3, (16, 32, 64, 128), (2, 2, 2), num_res_units=2, channels=2, edge=edge)
    yield "monai-unet-batch", lambda: monai(
        "UNet", 3, 1, 3, (16, 32, 64, 96), (2, 2, 2), num_res_units=0, norm="BATCH", edge=edge)
    yield "monai-basic-unet", lambda: monai("BasicUNet", 3, 1, 3, (32, 32, 64, 128, 256, 32), edge=edge)
    yield "monai-basic-unet-interpolating", lambda: monai(
        "BasicUNet", 3, 1, 3, (16, 16, 32, 64, 96, 16), upsample="nontrainable", edge=edge)
    yield "monai-segresnet", lambda: monai("SegResNet", 3, 8, 1, 3, edge=edge)
    yield "monai-attention-unet", lambda: monai("AttentionUnet", 3, 1, 3, (16, 32, 64), (2, 2), edge=edge)
    yield "monai-dynunet", lambda: monai(
        "DynUNet", 3, 1, 3, [3, 3, 3], [1, 2, 2], [2, 2], res_block=True, edge=edge)
    yield "monai-densenet", lambda: monai(
        "DenseNet121", 3, 1, 2, init_features=16, growth_rate=8, block_config=(2, 2), edge=edge)
    yield "monai-senet", lambda: monai(
        "SEResNet50", spatial_dims=3, in_channels=1, num_classes=2, layers=(1, 1, 1, 1), edge=edge)
    yield "monai-resnet18", lambda: monai(
        "resnet18", spatial_dims=3, n_input_channels=2, num_classes=2, channels=2, edge=edge)
    yield "torchvision-resnet18", torchvision_resnet
    yield "mixture", lambda: transposed_normalisation(edge // 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--edge", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--keep", help="folder for the exported models")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(options.keep or scratch)
        folder.mkdir(exist_ok=True)
        for name, make in models(options.edge):
            if options.only and options.only != name:
                continue
            torch.manual_seed(1)
            network, shape = make()
            network.eval()
            with torch.no_grad():
                for key, value in network.state_dict().items():
                    if key.endswith("running_mean"):
                        value.normal_(0, 0.1)
                    elif key.endswith("running_var"):
                        value.uniform_(0.8, 1.2)
                    elif value.ndim == 1 and value.is_floating_point():
                        value.add_(torch.randn(value.shape) * 0.05)
            x = torch.randn(shape)
            for form in ("legacy", "dynamo"):
                line = {"name": name, "form": form}
                try:
                    line |= compare(network, x, form, folder / f"{name}-{form}.onnx", options)
                    line["ok"] = bool(line["difference"] <= TOLERANCE)
                except Exception as error:  # reported, and counted below
                    line |= {"ok": False, "error": str(error)[-400:]}
                failed += not line["ok"]
                print(json.dumps(line), flush=True)
    return 1 if failed else 0


def compare(network, x, form, path, options):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        further = {"dynamo": True} if form == "dynamo" else {"dynamo": False, "opset_version": 17}
        torch.onnx.export(network, (x,), str(path), input_names=["image"], output_names=["result"], **further)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    expected = session.run(None, feed)[0]
    theirs = float("inf")
    for _ in range(options.repeats):
        start = time.perf_counter()
        session.run(None, feed)
        theirs = min(theirs, time.perf_counter() - start)
    raw = path.with_suffix(".input.f32")
    result = path.with_suffix(".output.f32")
    x.numpy().tofile(raw)
    run = subprocess.run(
        [options.ours, "onnx", path, str(options.threads), str(options.repeats), raw, "x".join(map(str, x.shape)), result],
        capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip() or f"status {run.returncode}")
    ours = json.loads(run.stdout)
    found = np.fromfile(result, np.float32).reshape(expected.shape)
    raw.unlink()
    result.unlink()
    return {
        "difference": float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6)),
        "largest": float(np.abs(expected).max()), "ours_s": round(ours["minimum_s"], 4), "ort_s": round(theirs, 4),
        "parameters": ours["parameters"], "memory_mib": ours["memory_bytes"] >> 20, "notes": ours["notes"],
    }


if __name__ == "__main__":
    sys.exit(main())
