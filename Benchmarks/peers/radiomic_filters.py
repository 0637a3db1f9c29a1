#!/usr/bin/env python3
"""Filters of radiomics in SciPy and PyWavelets and in qsmflow: compared, then timed in turn; JSON lines. The exit status is 1
where the sums over every 997th voxel differ by more than rounding makes of them. (Voxel by voxel, filters are tested against
the reference maps of the IBSI.)

The image is that of Sources/Benchmarks/Input.swift. Needs an environment of its own with
Benchmarks/peers/filters-requirements.txt.
"""
import argparse
import json
import os
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import pywt
from scipy import fft, ndimage

LAWS = {"L5": [1, 4, 6, 4, 1], "E5": [-1, -2, 0, 2, 1], "S5": [-1, 0, 2, 0, -1]}
BANDS = ["LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"]


def noise(edge: int) -> np.ndarray:
    """In (z, y, x) order, in double precision."""
    values = np.empty(edge ** 3, np.float64)
    state = 1
    for n in range(edge ** 3):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[n] = np.float32(state >> 8) / np.float32(16777216)
    return values.reshape(edge, edge, edge)


def mean(image):
    return [ndimage.uniform_filter(image, 15, mode="reflect")]


def log_mass() -> float:
    """The IBSI's kernel is made of the density as it is; SciPy divides it by its sum over the voxels within the cut, per axis."""
    place = np.arange(-12, 13) / 3
    return (np.exp(-place ** 2 / 2).sum() / (3 * (2 * np.pi) ** 0.5)) ** 3


def log(image):
    return [ndimage.gaussian_laplace(image, 3, mode="reflect", truncate=4)]


def laws(image):
    result = image
    for axis, kernel in zip((2, 1, 0), ("L5", "E5", "S5")):
        taps = np.array(LAWS[kernel], float)
        result = ndimage.convolve1d(result, taps / np.linalg.norm(taps), axis=axis, mode="reflect")
    return [result]


def wavelet(image):
    # Letters of a sub-band of PyWavelets are in the order of the axes: z, y, x.
    found = pywt.swtn(image, "coif1", level=1, start_level=0)[0]
    return [found[band[::-1].replace("L", "a").replace("H", "d")] for band in BANDS]


def gabor(image):
    """Slice by slice, by transforms of mirrored slices; opposite directions have one modulus, so four of eight are needed."""
    sigma, wavelength, gamma, radius = 3.0, 4.0, 1.5, 15
    size = fft.next_fast_len(image.shape[1] + 2 * radius)
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1].astype(float)
    spectra = []
    for theta in np.arange(4) * np.pi / 4:
        along, across = x * np.cos(theta) + y * np.sin(theta), (y * np.cos(theta) - x * np.sin(theta)) * gamma
        kernel = np.exp(-(along ** 2 + across ** 2) / (2 * sigma ** 2) + 2j * np.pi * along / wavelength)
        spectra.append(fft.fft2(kernel, (size, size)))
    result = np.empty_like(image)
    for k, plane in enumerate(image):
        spectrum = fft.fft2(np.pad(plane, radius, mode="symmetric"), (size, size))
        total = 0
        for kernel in spectra:
            response = fft.ifft2(spectrum * kernel)
            total = total + np.abs(response[2 * radius:2 * radius + plane.shape[0], 2 * radius:2 * radius + plane.shape[1]])
        result[k] = total / 4
    return [result]


def simoncelli(image):
    """On frequencies evenly from -1 to 1, as the reference values of the IBSI have them."""
    axes = [fft.ifftshift(np.linspace(-1, 1, count)) for count in image.shape]
    frequency = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    factor = np.zeros_like(frequency)
    band = (frequency > 0.25) & (frequency < 1)
    factor[band] = np.cos(np.pi / 2 * np.log2(2 * frequency[band]))
    return [fft.ifftn(fft.fftn(image) * factor).real]


FILTERS = {"mean": mean, "log": log, "laws": laws, "wavelet": wavelet, "gabor": gabor, "simoncelli": simoncelli}
TOOLS = {"wavelet": "pywt.swtn", "mean": "ndimage.uniform_filter", "log": "ndimage.gaussian_laplace",
         "laws": "ndimage.convolve1d", "gabor": "scipy.fft", "simoncelli": "scipy.fft"}
# What responses of the peer are times ours, by definition.
FACTORS = {"log": 1 / log_mass()}
# Relative difference that rounding may make of the sums.
TOLERANCE = 1e-10


def checksum(responses) -> float:
    return sum((number + 1) * response.ravel()[::997].sum() for number, response in enumerate(responses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, nargs="*", default=[128, 192])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--filters", nargs="*", default=list(FILTERS))
    parser.add_argument("--ours", required=True)
    options = parser.parse_args()

    def ours(name: str, edge: int, threads: int) -> dict:
        return json.loads(subprocess.run(
            [options.ours, "--only", f"filter_{name}", "--edge", str(edge), "--repeats", "3", "--threads", str(threads)],
            check=True, capture_output=True, text=True).stdout)

    agrees = True
    for edge in options.edges:
        image = noise(edge)
        for name in options.filters:
            theirs = checksum(FILTERS[name](image)) / FACTORS.get(name, 1)
            own = {threads: [] for threads in options.threads}
            peer = []
            for _ in range(options.repeats):
                for threads in options.threads:
                    result = ours(name, edge, threads)
                    own[threads].append(result["minimum_s"])
                start = time.perf_counter()
                FILTERS[name](image)
                peer.append(time.perf_counter() - start)
            difference = abs(result["checksum"] - theirs) / abs(theirs)
            agrees &= difference <= TOLERANCE
            line = {
                "name": f"filter_{name}", "edge": edge, "peer": TOOLS[name],
                "relative_difference_of_checksums": difference,
                "peer_s": min(peer), "load": os.getloadavg()[0], "instruction_set": result["instruction_set"],
            }
            for threads in options.threads:
                line[f"ours_{threads}_threads_s"] = min(own[threads])
            line["ratio_1_thread"] = min(peer) / min(own[options.threads[0]])
            print(json.dumps(line), flush=True)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
