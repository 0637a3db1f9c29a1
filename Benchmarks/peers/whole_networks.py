#!/usr/bin/env python3
"""Times whole networks of PyTorch (eager and channels last, compiled where that works) and ours in turn: inference, and a
training step with Adam. Prints JSON lines with the ratio and the peak memory of each side's process.

Networks and sizes as in Sources/Benchmarks/NetworkBenchmark.swift, built from its JSON by network_check.py.
"""
import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from torch_network import Interpreter

SHAPES = {"unet3d": (1, 1, 128, 128, 128), "deepmir": (1, 3, 256, 256), "resnet18": (32, 2, 32, 32, 32)}
TRAINING_SHAPES = {"deepmir": (8, 3, 256, 256)}
MODES = ("eager", "channels_last", "compile")


def peer(network: str, work: str, mode: str, threads: int, seconds: float, description: Path) -> None:
    """Runs in a process of its own, so that its peak memory is its own."""
    torch.set_num_threads(threads)
    model = Interpreter(json.loads(description.read_text()))
    generator = torch.Generator().manual_seed(1)
    weights = model.parameters(generator)
    shapes = SHAPES | (TRAINING_SHAPES if work == "training" else {})
    x = torch.randn(*shapes[network], generator=generator)
    if mode == "channels_last":
        last = {5: torch.channels_last_3d, 4: torch.channels_last}
        x = x.contiguous(memory_format=last[x.dim()])
        weights = {
            key: value.contiguous(memory_format=last[value.dim()]) if value.dim() in last else value
            for key, value in weights.items()}
    run = torch.compile(model.run) if mode == "compile" else model.run
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
    body()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        body()
        best = min(best, time.perf_counter() - start)
        runs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": best, "peak_bytes": peak}))


def ours(executable: str, network: str, work: str, threads: int, repeats: int) -> dict:
    call = [executable, "--only", f"network_{network}_{work}", "--threads", str(threads), "--repeats", str(repeats)]
    line = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return {"seconds": line["minimum_s"], "peak_bytes": line["peak_bytes"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the executable qsmflow-benchmarks")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--networks", nargs="+", default=list(SHAPES))
    parser.add_argument("--modes", nargs="+", default=list(MODES))
    parser.add_argument("--alternations", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        network, work, mode, path = options.peer
        return peer(network, work, mode, options.threads[0], options.seconds, Path(path))
    for threads in options.threads:
        for network in options.networks:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "network.json"
                path.write_text(subprocess.run(
                    [options.ours, "--describe-network", network], check=True, capture_output=True, text=True).stdout)
                for work in ("inference", "training"):
                    found: dict[str, dict] = {}

                    def take(name: str, result: dict) -> None:
                        before = found.setdefault(name, result)
                        before["seconds"] = min(before["seconds"], result["seconds"])
                        before["peak_bytes"] = max(before["peak_bytes"], result["peak_bytes"])

                    for _ in range(options.alternations):
                        take("qsmflow", ours(options.ours, network, work, threads, 3))
                        for mode in options.modes:
                            call = [
                                sys.executable, __file__, "--ours", "", "--threads", str(threads), "--seconds",
                                str(options.seconds), "--peer", network, work, mode, str(path)]
                            done = subprocess.run(call, capture_output=True, text=True)
                            if done.returncode == 0:
                                take(f"pytorch_{mode}", json.loads(done.stdout))
                            else:  # said, and the others still count
                                print(f"{mode} does not work: {done.stderr.splitlines()[-1]}", file=sys.stderr)
                    best = min((name for name in found if name != "qsmflow"), key=lambda name: found[name]["seconds"])
                    least = min(found[name]["peak_bytes"] for name in found if name != "qsmflow")
                    print(json.dumps({
                        "name": f"{network}_{work}", "threads": threads,
                        "seconds": {name: round(found[name]["seconds"], 4) for name in found},
                        "peak_mebibytes": {name: found[name]["peak_bytes"] >> 20 for name in found},
                        "best_peer": best,
                        "ratio": round(found[best]["seconds"] / found["qsmflow"]["seconds"], 2),
                        "memory_ratio": round(found["qsmflow"]["peak_bytes"] / least, 2)}), flush=True)


if __name__ == "__main__":
    main()
