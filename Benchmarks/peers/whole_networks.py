#!/usr/bin/env python3
"""Times whole networks of PyTorch (eager and channels last, compiled where that works), ONNX Runtime and ours in turn:
inference, and a training step with Adam. Prints JSON lines with the ratio and the peak memory of each side's process.

Networks and sizes as in Sources/Benchmarks/NetworkBenchmark.swift, built from its JSON by network_check.py; ONNX Runtime
gets what PyTorch exports of them. Every peer runs in a process of its own. Its peak memory includes interpreter and
libraries: "baseline_mebibytes" is the peak of the same process with a network of one convolution on one voxel, and
"memory_ratio_above_baseline" has it subtracted from the peers' memory, not from ours.
"""
import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# PyTorch is imported where it is used: it is no part of the memory of ONNX Runtime.

SHAPES = {
    "unet3d": (1, 1, 128, 128, 128), "deepmir": (1, 3, 256, 256), "resnet18": (32, 2, 32, 32, 32),
    "deepmir1": (1, 3, 256, 256), "voxel": (1, 1, 1, 1, 1)}
TRAINING_SHAPES = {"deepmir": (8, 3, 256, 256)}
# Inference takes one slice anyway.
WORK = {"deepmir1": ("training",)}
MODES = {
    "inference": ("pytorch_eager", "pytorch_channels_last", "pytorch_compile", "onnxruntime"),
    "training": ("pytorch_eager", "pytorch_channels_last", "pytorch_compile")}
ONE = {"depth": 1, "height": 1, "width": 1}
NONE = {"depth": 0, "height": 0, "width": 0}
VOXEL = {
    "inputs": [{"name": "image", "channels": 1, "rank": 3}], "outputs": ["layer"],
    "nodes": [{"name": "layer", "inputs": ["image"], "layer": {"convolution": {"bias": True, "geometry": {
        "inputChannels": 1, "outputChannels": 2, "kernel": ONE, "stride": ONE, "padding": NONE, "dilation": ONE,
        "groups": 1}}}}]}


def report(body, seconds: float) -> None:
    """Prints the least time of as many runs as fit, two at least, after one to warm up, and the peak memory."""
    body()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        body()
        best = min(best, time.perf_counter() - start)
        runs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": best, "peak_bytes": peak}))


def onnx_session(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_peer(network: str, threads: int, seconds: float, folder: Path) -> None:
    import numpy

    session = onnx_session(folder / f"{network}.onnx", threads)
    x = numpy.random.default_rng(1).standard_normal(SHAPES[network], dtype=numpy.float32)
    feed = {session.get_inputs()[0].name: x}
    report(lambda: session.run(None, feed), seconds)


def export(network: str, folder: Path) -> None:
    """Writes the network as ONNX Runtime will read it, with fresh weights, and holds it to PyTorch's result."""
    import torch

    from torch_network import Interpreter

    model = Interpreter(json.loads((folder / f"{network}.json").read_text()))
    generator = torch.Generator().manual_seed(1)
    weights = model.parameters(generator)
    x = torch.randn(*SHAPES[network], generator=generator)

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.values = torch.nn.ParameterList(
                torch.nn.Parameter(value, requires_grad=False) for value in weights.values())

        def forward(self, x):
            return model.run(dict(zip(weights, self.values)), [x], False)[0]

    module = Module().eval()
    path = folder / f"{network}.onnx"
    with torch.inference_mode(False), torch.no_grad():
        torch.onnx.export(module, (x,), path, dynamo=True, verbose=False)
        expected = module(x)
    session = onnx_session(path, 1)
    found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    difference = ((found - expected).abs().max() / expected.abs().max()).item()
    assert difference < 1e-3, f"{network}: ONNX Runtime and PyTorch differ by {difference}"


def pytorch_peer(network: str, work: str, mode: str, threads: int, seconds: float, folder: Path) -> None:
    import torch

    from torch_network import Interpreter

    torch.set_num_threads(threads)
    model = Interpreter(json.loads((folder / f"{network}.json").read_text()))
    generator = torch.Generator().manual_seed(1)
    weights = model.parameters(generator)
    shapes = SHAPES | (TRAINING_SHAPES if work == "training" else {})
    x = torch.randn(*shapes[network], generator=generator)
    if mode == "pytorch_channels_last":
        last = {5: torch.channels_last_3d, 4: torch.channels_last}
        x = x.contiguous(memory_format=last[x.dim()])
        weights = {
            key: value.contiguous(memory_format=last[value.dim()]) if value.dim() in last else value
            for key, value in weights.items()}
    run = torch.compile(model.run) if mode == "pytorch_compile" else model.run
    if work == "inference":
        def body() -> None:
            with torch.inference_mode():
                run(weights, [x], False)
    else:
        running = {key for key in weights if "running_" in key}
        weights = {key: value.requires_grad_(key not in running) for key, value in weights.items()}
        optimiser = torch.optim.Adam([value for key, value in weights.items() if key not in running], lr=1e-4)
        with torch.no_grad():
            shape = run(weights, [x], False)[0].shape
        target = torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator)

        def body() -> None:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(run(weights, [x], True)[0], target).backward()
            optimiser.step()
    report(body, seconds)


def peer(network: str, work: str, mode: str, threads: int, seconds: float, folder: Path) -> dict | None:
    """What a peer reports from a process of its own; nothing, and a message, where it does not work."""
    call = [
        sys.executable, __file__, "--ours", "", "--threads", str(threads), "--seconds", str(seconds), "--peer", network,
        work, mode, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    print(f"{mode} does not work: {(done.stderr.splitlines() or ['no message'])[-1]}", file=sys.stderr)
    return None


def run_as_peer(network: str, work: str, mode: str, threads: int, seconds: float, folder: Path) -> None:
    if mode == "export":
        export(network, folder)
        print("{}")
    elif mode == "onnxruntime":
        onnx_peer(network, threads, seconds, folder)
    else:
        pytorch_peer(network, work, mode, threads, seconds, folder)


def ours(executable: str, network: str, work: str, threads: int, repeats: int) -> dict:
    call = [executable, "--only", f"network_{network}_{work}", "--threads", str(threads), "--repeats", str(repeats)]
    line = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return {"seconds": line["minimum_s"], "peak_bytes": line["peak_bytes"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the executable qsmflow-benchmarks")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--networks", nargs="+", default=[name for name in SHAPES if name != "voxel"])
    parser.add_argument("--work", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--modes", nargs="+", default=list(MODES["inference"]))
    parser.add_argument("--alternations", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        network, work, mode, path = options.peer
        return run_as_peer(network, work, mode, options.threads[0], options.seconds, Path(path))
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    (folder / "voxel.json").write_text(json.dumps(VOXEL))
    for network in options.networks:
        call = [options.ours, "--describe-network", network]
        (folder / f"{network}.json").write_text(
            subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    if "onnxruntime" in options.modes and "inference" in options.work:
        for network in ["voxel", *options.networks]:
            if "inference" in WORK.get(network, MODES):
                peer(network, "inference", "export", 1, 0, folder)
    for threads in options.threads:
        baselines = {
            (work, mode): baseline["peak_bytes"]
            for work in options.work for mode in MODES[work] if mode in options.modes
            if (baseline := peer("voxel", work, mode, threads, 0, folder))}
        for network in options.networks:
            for work in options.work:
                if work in WORK.get(network, MODES):
                    line = compare_work(options, network, work, threads, folder, baselines)
                    print(json.dumps(line), flush=True)


def compare_work(
        options: argparse.Namespace, network: str, work: str, threads: int, folder: Path, baselines: dict) -> dict:
    found: dict[str, dict] = {}

    def take(name: str, result: dict) -> None:
        before = found.setdefault(name, result)
        before["seconds"] = min(before["seconds"], result["seconds"])
        before["peak_bytes"] = max(before["peak_bytes"], result["peak_bytes"])

    modes = [mode for mode in MODES[work] if mode in options.modes]
    for _ in range(options.alternations):
        take("qsmflow", ours(options.ours, network, work, threads, 3))
        for mode in modes:
            if result := peer(network, work, mode, threads, options.seconds, folder):
                take(mode, result)
    peers = [name for name in found if name != "qsmflow"]
    best = min(peers, key=lambda name: found[name]["seconds"])
    own = found["qsmflow"]["peak_bytes"]
    above = min(found[name]["peak_bytes"] - baselines.get((work, name), 0) for name in peers)
    return {
        "name": f"{network}_{work}", "threads": threads,
        "seconds": {name: round(found[name]["seconds"], 4) for name in found},
        "peak_mebibytes": {name: found[name]["peak_bytes"] >> 20 for name in found},
        "baseline_mebibytes": {name: baselines[work, name] >> 20 for name in peers if (work, name) in baselines},
        "best_peer": best, "ratio": round(found[best]["seconds"] / found["qsmflow"]["seconds"], 2),
        "memory_ratio": round(own / min(found[name]["peak_bytes"] for name in peers), 2),
        "memory_ratio_above_baseline": round(own / above, 2)}


if __name__ == "__main__":
    main()
