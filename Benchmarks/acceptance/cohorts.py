"""Semi-synthetic cohorts: real anatomy, simulated images, known truth; and the truth as label derivatives that the
workflows read.

The simulator writes lesions of all kinds under one numbering. The derivative `labels` has what an expert would draw:

  sub-…_desc-nuclei_dseg.nii.gz, desc-nuclei_dseg.tsv    nuclei
  sub-…_desc-lesionclass_dseg.nii.gz, …_dseg.tsv         1 for microbleeds, 2 for iron deposits (study microbleeds)
  sub-…_desc-lesion_dseg.nii.gz, sub-…_lesions.tsv       lesions by number, and which have a rim (study rim)
"""
import csv
import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

CLASSES = {"microbleed": 1, "iron_deposit": 2}
RIMS = {"rim_positive": "rim", "rim_negative": "no_rim"}


@dataclass(frozen=True)
class Cohort:
    study: str
    subjects: int
    # Edge of a voxel, mm.
    voxel: float
    seed: int = 1
    # Factor on the shift of hemochromatosis; 0: the groups do not differ.
    effect: float = 1

    @property
    def name(self) -> str:
        return f"{self.study}-{self.subjects}-{self.voxel:g}mm-{self.seed}" + (f"-effect{self.effect:g}" if self.effect != 1 else "")

    def made(self, shared: Path, folder: Path, jobs: int) -> Path:
        """The dataset, made where it is not there."""
        dataset = folder / self.name
        if not (dataset / "derivatives" / "labels" / "dataset_description.json").exists():
            # What an interrupted run left of it.
            shutil.rmtree(dataset, ignore_errors=True)
            subprocess.run(
                [sys.executable, shared / "tools" / "make_cohort.py", "--labelmaps", shared / "data" / "labelmaps", "--out", dataset,
                 "--study", self.study, "--subjects", str(self.subjects), "--voxel", str(self.voxel), "--seed", str(self.seed),
                 "--effect", str(self.effect), "--no-gre", "--jobs", str(jobs)],
                check=True, stdout=subprocess.DEVNULL)
            write_labels(dataset, dataset / "derivatives" / "labels")
        return dataset


def people(dataset: Path) -> list[str]:
    return sorted(path.name for path in dataset.glob("sub-*"))


def write_labels(dataset: Path, labels: Path, permuted: int | None = None) -> None:
    """- permuted: seed of a permutation of the classes of lesions, over all people together."""
    truth = dataset / "derivatives" / "truth"
    tables = {}
    for person in people(dataset):
        with open(truth / person / "anat" / f"{person}_lesions.tsv", newline="") as file:
            tables[person] = [
                (int(row["lesion_id"]), row["class"]) for row in csv.DictReader(file, delimiter="\t") if row["status"] != "resolved"]
    if permuted is not None:
        rims = [(person, place) for person in tables for place, (_, kind) in enumerate(tables[person]) if kind in RIMS]
        kinds = [tables[person][place][1] for person, place in rims]
        random.Random(permuted).shuffle(kinds)
        for (person, place), kind in zip(rims, kinds):
            tables[person][place] = (tables[person][place][0], kind)
    has_rims = any(kind in RIMS for lesions in tables.values() for _, kind in lesions)
    for person, lesions in tables.items():
        source, target = truth / person / "anat", labels / person / "anat"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{person}_desc-nuclei_dseg.nii.gz", target)
        image = nibabel.load(source / f"{person}_desc-lesion_dseg.nii.gz")
        numbers = np.asarray(image.dataobj).astype(np.uint16)

        def save(values: np.ndarray, description: str) -> None:
            nibabel.Nifti1Image(values, image.affine).to_filename(target / f"{person}_desc-{description}_dseg.nii.gz")

        kinds = np.zeros(1 + max([int(numbers.max()), *(number for number, _ in lesions)]), np.uint16)
        for number, kind in lesions:
            kinds[number] = CLASSES.get(kind, 0)
        save(kinds[numbers], "lesionclass")
        # Some are too small for any voxel.
        seen = set(np.unique(numbers).tolist())
        rims = [(number, RIMS[kind]) for number, kind in lesions if kind in RIMS and number in seen]
        # People without a lesion, too: that none was found in them counts.
        if has_rims:
            save(np.where(np.isin(numbers, [number for number, _ in rims]), numbers, 0).astype(np.uint16), "lesion")
            (target / f"{person}_lesions.tsv").write_text(
                "lesion\tclass\n" + "".join(f"{number}\t{kind}\n" for number, kind in rims))
    shutil.copy(truth / "desc-nuclei_dseg.tsv", labels)
    (labels / "desc-lesionclass_dseg.tsv").write_text(
        "index\tname\n" + "".join(f"{number}\t{name}\n" for name, number in CLASSES.items()))
    (labels / "dataset_description.json").write_text(json.dumps({
        "Name": "Labels", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "simulation"}]}))
