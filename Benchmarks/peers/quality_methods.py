"""The four methods at a size that two cores train in minutes: cohort, workflow, and what is set in it.

Samples are mirrored at random and changed in no other way, on both sides. Cohorts, widths and epochs are small; losses,
optimisers, schedules and sampling are those of the workflows.
"""
from dataclasses import dataclass
from pathlib import Path

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


@dataclass
class Method:
    name: str
    workflow: str
    # Options of `qsmflow phantom`, and which of its derivative datasets are read.
    phantom: dict
    datasets: list[str]
    # Parameters of the workflow, and of its steps as step.parameter.
    settings: dict
    # The steps that train and apply.
    train: str = "train"
    apply: str = "segment"
    # Which layout PyTorch computes faster with: whole_networks.jsonl.
    channels_last: bool = True
    # Of sampling slices: number of the channel that tells which slices are empty.
    empty_channel: int | None = None
    # Column of participants.tsv that people are told apart by; empty: lesions, or nothing.
    target: str = ""
    # Whether slices are judged one by one besides.
    judges_slices: bool = False

    @property
    def segments(self) -> bool:
        return self.apply == "segment"

    @property
    def classes(self) -> list[dict]:
        """Of a segmentation, beside background."""
        return self.settings["classes"]


NUCLEI = [
    {"name": f"{side}_{name}", "labels": labels}
    for name, sides in (
        ("caudate", ([1], [2])), ("putamen", ([3], [4])), ("pallidum", ([5], [6])), ("thalamus", ([9, 11], [10, 12])))
    for side, labels in zip(("left", "right"), sides)]

MICROBLEEDS = {"study": "microbleeds", "subjects": 12, "voxel": 2}
LESIONS = [{"name": "microbleed", "labels": [1]}, {"name": "iron_deposit", "labels": [2]}]

METHODS = [
    Method(
        "deepmir", "deepmir.yaml", MICROBLEEDS, ["recon", "labels"],
        {
            # Parts of slices, a share of them about lesions.
            "folds": 3, "epochs": 16, "batch": 16, "slice": [64, 64, 1], "train.widths": [8, 16, 32, 64, 128, 256],
            "train.augmentation": "flips", "train.samples_per_epoch": 640, "train.sampling": "patches",
            "train.skip_empty": "", "train.loss": ["dice", "cross_entropy"], "segment.overlap": 0.25,
            "classes": LESIONS}),
    Method(
        # Whole slices, as published, of which so few teach a network nothing: what is compared are the losses.
        "deepmir-slices", "deepmir.yaml", MICROBLEEDS, ["recon", "labels"],
        {
            "folds": 3, "epochs": 24, "batch": 16, "slice": [96, 96, 1], "train.widths": [8, 16, 32, 64, 128, 256],
            "train.augmentation": "flips", "train.samples_per_epoch": 192, "classes": LESIONS},
        empty_channel=0),
    Method(
        "qsmrim", "qsmrim.yaml",
        {"study": "rim", "subjects": 15, "voxel": 2, "lesions": 10, "rims": 3, "aligned": True}, ["recon", "labels"],
        {
            "folds": 3, "epochs": 12, "register": False, "spacing_mm": [], "patch": [16, 16, 16],
            "train.augmentation": "flips", "trees": 10},
        apply="judge", channels_last=False),
    Method(
        "qnet", "qnet.yaml", {"study": "hemochromatosis", "subjects": 24, "voxel": 2.5}, ["recon", "truth"],
        {
            "folds": 3, "epochs": 12, "average_from": 9, "register": False,
            "labels": {"bids": {"suffix": "dseg", "desc": "nuclei", "space": "none"}},
            "label_names": {"bids": {"suffix": "dseg", "desc": "nuclei", "extension": ".tsv"}},
            "spacing_mm": 2.5, "slab": [48, 64, 32]},
        apply="classify", target="group", judges_slices=True),
    Method(
        "subcortical", "subcortical-network.yaml", {"study": "subcortical", "subjects": 9, "voxel": 2.5},
        ["recon", "labels"],
        {
            "folds": 3, "epochs": 15, "train.widths": [8, 16, 32], "patch": [48, 48, 48], "train.augmentation": "flips",
            "classes": NUCLEI, "label_names": None,
            "lateral_pairs": [[f"{side}_{name}" for side in ("left", "right")]
                              for name in ("caudate", "putamen", "pallidum", "thalamus")],
            # Networks are compared, not what is done with their labels.
            "one_piece": False, "segment.fill_holes": False, "segment.smallest_mm3": 0}),
]
