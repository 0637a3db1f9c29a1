#!/usr/bin/env python3
"""Times the field's implementations and ours on the same input, in turn, and prints JSON lines with the ratio.

The input is the linear congruential noise of Sources/Benchmarks/Input.swift, and results are compared before anything
is timed. One thread each.
"""
import argparse
import json
import subprocess
import time

import cc3d
import edt
import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def noise(edge: int) -> np.ndarray:
    """Volume in (z, y, x) order, x fastest, as in the Swift input."""
    state, count = np.uint64(1), edge ** 3
    values = np.empty(count, np.float32)
    # Jump ahead in blocks: x_{n+1} = a x_n + c is affine, so a block of powers serves the whole sequence.
    block = 1 << 12
    a, c = np.empty(block, np.uint64), np.empty(block, np.uint64)
    x, y = 1, 0
    for n in range(block):
        x, y = (x * 1664525) % 2 ** 32, (y * 1664525 + 1013904223) % 2 ** 32
        a[n], c[n] = x, y
    for start in range(0, count, block):
        run = (a * state + c) & np.uint64(0xFFFFFFFF)
        values[start:start + block] = ((run >> np.uint64(8)) / 2 ** 24)[: count - start]
        state = run[-1]
    return values.reshape(edge, edge, edge)


def checksum(values: np.ndarray) -> float:
    flat = values.ravel().astype(np.float64)
    return float((flat * (np.arange(flat.size) % 7 + 1)).sum())


def timed(body, repeats: int) -> tuple[float, float, object]:
    result = body()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = body()
        seconds.append(time.perf_counter() - start)
    return min(seconds), float(np.median(seconds)), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ours", required=True)
    options = parser.parse_args()
    edge = options.edge
    volume = noise(edge)
    image = sitk.GetImageFromArray(volume)
    mask = (ndi.gaussian_filter(volume, 3, truncate=3) > 0.5).astype(np.uint8)
    matrix = np.array([[.99, -.1, .05], [.1, .98, -.05], [-.04, .06, .99]])
    shift = np.array([3, -2, 1.5])
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix.ravel().tolist())
    affine.SetTranslation(shift.tolist())
    flip = np.eye(3)[::-1]

    def itk_gaussian():
        return sitk.GetArrayViewFromImage(sitk.SmoothingRecursiveGaussian(image, 2.0))

    def itk_resample():
        return sitk.GetArrayFromImage(sitk.Resample(image, image, affine, sitk.sitkLinear, 0.0))

    phase = (np.arange(edge) / edge * 2 * np.pi).astype(np.float32)
    x = np.broadcast_to(3 * np.sin(phase), volume.shape)
    y = np.broadcast_to(2 * np.cos(phase), volume.shape)
    z = np.broadcast_to(np.sin(2 * phase), volume.shape)
    field = sitk.GetImageFromArray(np.stack([x, y, z], -1).astype(np.float64), isVector=True)

    def itk_warp():
        return sitk.GetArrayFromImage(sitk.Warp(image, sitk.Cast(field, sitk.sitkVectorFloat64)))

    peers = {
        "gaussian_sigma2": {"scipy": lambda: ndi.gaussian_filter(volume, 2, mode="nearest", truncate=3), "itk_recursive": itk_gaussian},
        "resample_affine": {
            "scipy": lambda: ndi.affine_transform(volume, flip @ matrix @ flip, shift[::-1], order=1, mode="constant"),
            "itk": itk_resample},
        "resample_displacement": {"itk": itk_warp},
        "distance_transform": {
            "edt": lambda: edt.edt(mask, parallel=1, black_border=False),
            "scipy": lambda: ndi.distance_transform_edt(mask).astype(np.float32)},
        "connected_components_26": {"cc3d": lambda: cc3d.connected_components(mask, connectivity=26)},
    }
    for name, tools in peers.items():
        ours = json.loads(subprocess.run(
            [options.ours, "--edge", str(edge), "--repeats", str(options.repeats), "--only", name],
            check=True, capture_output=True, text=True).stdout)
        print(json.dumps(ours), flush=True)
        for tool, body in tools.items():
            minimum, median, result = timed(body, options.repeats)
            value = float(np.max(result)) if name.startswith("connected") else checksum(np.asarray(result))
            print(json.dumps({
                "name": name, "tool": tool, "edge": edge, "threads": 1, "minimum_s": minimum, "median_s": median,
                "checksum": value, "ratio_to_ours": median / ours["median_s"]}), flush=True)


if __name__ == "__main__":
    main()
