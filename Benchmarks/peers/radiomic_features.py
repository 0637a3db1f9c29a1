#!/usr/bin/env python3
"""The radiomic features of QSMRim-Net in PyRadiomics and in qsmflow: compared, then timed in turn; JSON lines.
The exit status is 1 where a feature differs by more than a millionth, or one of theirs is not ours.

The map and the lesion are those of Sources/Benchmarks/RadiomicsBenchmarks.swift. Needs an environment of its own with
Benchmarks/peers/radiomics-requirements.txt (PyRadiomics 3.0.1 wants NumPy 1 and is built with --no-build-isolation).
"""
import argparse
import json
import logging
import subprocess
import sys
import time

import numpy as np
import SimpleITK as sitk
from radiomics import featureextractor
from radiomics.glcm import RadiomicsGLCM

logging.getLogger("radiomics").setLevel(logging.ERROR)
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def lesion(edge: int, passes: int = 3):
    """Map in ppm and mask, in (z, y, x) order."""
    values = np.empty(edge ** 3, np.float32)
    state = 1
    for n in range(edge ** 3):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[n] = np.float32(state >> 8) / np.float32(16777216)
    field = ((values.astype(np.float64) - 0.5) * 2).reshape(edge, edge, edge)
    for _ in range(passes):
        for axis in (2, 1, 0):
            padded = np.pad(field, [(1, 1) if a == axis else (0, 0) for a in range(3)], "edge")
            before, after = (np.take(padded, np.arange(start, start + edge), axis) for start in (0, 2))
            field = (before + 2 * field + after) / 4
    grid = np.indices((edge, edge, edge))
    mask = ((grid - edge / 2) ** 2).sum(0) <= (edge / 8) ** 2
    return field.astype(np.float32), mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, nargs="*", default=[32, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ours", required=True)
    options = parser.parse_args()
    extractor = featureextractor.RadiomicsFeatureExtractor(binWidth=25, minimumROIDimensions=1, additionalInfo=False)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(shape=[], firstorder=[], glrlm=[])
    extractor.enableFeatureClassByName("glcm")
    extractor.enabledFeatures["glcm"] = [
        name for name, deprecated in RadiomicsGLCM.getFeatureNames().items() if not deprecated and name != "SumAverage"]
    extractor.enableImageTypes(Original={}, Wavelet={})
    agrees = True
    for edge in options.edges:
        values, mask = lesion(edge)
        # In double precision: the wavelets then are too.
        image = sitk.GetImageFromArray(values.astype(np.float64) * 1000)
        label = sitk.GetImageFromArray(mask.astype(np.uint8))
        theirs = {name: float(value) for name, value in extractor.execute(image, label).items()
                  if not name.startswith("diagnostics")}
        ours = json.loads(subprocess.run(
            [options.ours, "--radiomics-features", "--edge", str(edge)], check=True, capture_output=True, text=True).stdout)
        names = sorted(set(ours) & set(theirs))
        worst = max(names, key=lambda name: abs(ours[name] - theirs[name]) / max(1e-9, abs(theirs[name])))
        line = {
            "name": "radiomics_qsmrim", "edge": edge, "voxels": int(mask.sum()), "features": len(names),
            "only_ours": sorted(set(ours) - set(theirs)), "only_theirs": sorted(set(theirs) - set(ours)),
            "largest_relative_difference": abs(ours[worst] - theirs[worst]) / max(1e-9, abs(theirs[worst])),
            "of": worst,
        }
        agrees &= line["largest_relative_difference"] < 1e-6 and not line["only_theirs"]
        own, peer = [], []
        for _ in range(options.repeats):
            result = json.loads(subprocess.run(
                [options.ours, "--only", "radiomics_qsmrim", "--edge", str(edge), "--repeats", "5"],
                check=True, capture_output=True, text=True).stdout)
            own.append(result["minimum_s"])
            start = time.perf_counter()
            extractor.execute(image, label)
            peer.append(time.perf_counter() - start)
        line.update(ours_s=min(own), pyradiomics_s=min(peer), ratio=min(peer) / min(own))
        print(json.dumps(line), flush=True)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
