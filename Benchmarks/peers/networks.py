#!/usr/bin/env python3
"""Times convolutions of PyTorch, ONNX Runtime and ours in turn, and prints JSON lines with the ratios.

Every tool runs each layer several times in alternation, so that other work on the machine meets all of them alike; the
best of all runs counts. PyTorch: eager, channels last, and torch.compile with frozen weights (forward). Layers as in
Sources/Benchmarks/ConvolutionBenchmark.swift: 3×3×3 or 3×3 elements, output as large as the input, batch of one.
"""
import argparse
import json
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime
import torch

LAYERS = [
    (32, 32, (64, 64, 64)), (64, 64, (32, 32, 32)), (128, 128, (16, 16, 16)), (1, 32, (64, 64, 64)),
    (16, 16, (128, 128, 128)), (32, 32, (256, 256)), (64, 64, (256, 256)),
]
DIRECTIONS = ("forward", "input", "weight")


def layer_name(inputs: int, outputs: int, size: tuple[int, ...], direction: str) -> str:
    full = (1,) * (3 - len(size)) + size
    return f"convolution_{inputs}_{outputs}_{'x'.join(map(str, full))}_{direction}"


def best_of(body, seconds: float) -> float:
    """Least time of as many runs as fit, three at least, after one to warm up."""
    body()
    best, end = float("inf"), time.perf_counter() + seconds
    runs = 0
    while runs < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        body()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


def onnx_session(inputs, outputs, size, weight, threads):
    rank = len(size)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * (2 * rank), kernel_shape=[3] * rank)
    graph = onnx.helper.make_graph(
        [node], "layer",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, inputs, *size])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, outputs, *size])],
        [onnx.numpy_helper.from_array(weight, "w")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def peers(inputs, outputs, size, direction, threads, compiled):
    """Closures by name of tool."""
    rank = len(size)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, inputs, *size, generator=generator)
    w = torch.randn(outputs, inputs, *(3,) * rank, generator=generator)
    dy = torch.randn(1, outputs, *size, generator=generator)
    last = torch.channels_last_3d if rank == 3 else torch.channels_last
    convolve = torch.nn.functional.conv3d if rank == 3 else torch.nn.functional.conv2d

    if direction == "forward":
        xl, wl = x.to(memory_format=last), w.to(memory_format=last)
        tools = {
            "pytorch_eager": lambda: convolve(x, w, padding=1),
            "pytorch_channels_last": lambda: convolve(xl, wl, padding=1),
        }
        if compiled:
            module = (torch.nn.Conv3d if rank == 3 else torch.nn.Conv2d)(
                inputs, outputs, 3, padding=1, bias=False).eval()
            try:
                torch._dynamo.reset()
                fast = torch.compile(module, options={"freezing": True})
                fast(x)
                tools["pytorch_compile"] = lambda: fast(x)
            except Exception as error:  # reported; the other tools still count
                print(f"torch.compile does not work here: {type(error).__name__}: {error}", file=sys.stderr)
        session = onnx_session(inputs, outputs, size, w.numpy(), threads)
        feed = {"x": x.numpy()}
        reference = convolve(x, w, padding=1).numpy()
        difference = np.abs(session.run(None, feed)[0] - reference).max() / np.abs(reference).max()
        assert difference < 1e-4, f"ONNX Runtime and PyTorch differ by {difference}"
        tools["onnxruntime"] = lambda: session.run(None, feed)
        return tools

    mask = [direction == "input", direction == "weight", False]

    def backward(dy, x, w):
        return torch.ops.aten.convolution_backward(
            dy, x, w, None, [1] * rank, [1] * rank, [1] * rank, False, [0] * rank, 1, mask)

    lasts = tuple(t.to(memory_format=last) for t in (dy, x, w))
    return {"pytorch_eager": lambda: backward(dy, x, w), "pytorch_channels_last": lambda: backward(*lasts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="path of qsmflow-benchmarks")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--alternations", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each tool in each alternation")
    parser.add_argument("--directions", nargs="+", choices=DIRECTIONS, default=list(DIRECTIONS))
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    for threads in options.threads:
        torch.set_num_threads(threads)
        for inputs, outputs, size in LAYERS:
            for direction in options.directions:
                name = layer_name(inputs, outputs, size, direction)
                operations = 2 * inputs * outputs * 3 ** len(size) * int(np.prod(size))
                tools = peers(inputs, outputs, size, direction, threads, not options.no_compile)
                best = dict.fromkeys(["qsmflow", *tools], float("inf"))
                for _ in range(options.alternations):
                    repeats = max(3, int(options.seconds / (operations / 4e11)))
                    line = json.loads(subprocess.run(
                        [options.ours, "--only", name, "--threads", str(threads), "--repeats", str(repeats)],
                        check=True, capture_output=True, text=True).stdout)
                    best["qsmflow"] = min(best["qsmflow"], line["minimum_s"])
                    for tool, body in tools.items():
                        best[tool] = min(best[tool], best_of(body, options.seconds))
                peer = min((t for t in best if t != "qsmflow"), key=best.get)
                print(json.dumps({
                    "name": name, "threads": threads,
                    "gigaflops": {tool: round(operations / best[tool] * 1e-9, 1) for tool in best},
                    "best_peer": peer, "ratio": round(best[peer] / best["qsmflow"], 2)}), flush=True)


if __name__ == "__main__":
    main()
