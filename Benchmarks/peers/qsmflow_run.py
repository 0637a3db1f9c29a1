"""A workflow of ours, cross-validated over a phantom cohort of its own: who was in which fold, which files its tasks read
and made, and how long they took."""
import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from quality_methods import WORKFLOWS, Method
from training_images import Session


class QsmflowRun:
    def __init__(self, program: str, folder: Path, method: Method, threads: int):
        """
        - folder: where the cohort, the state and the exported results lie; what is there from before is not made again.
        """
        self.program, self.folder, self.method = program, folder, method
        folder.mkdir(parents=True, exist_ok=True)
        # The private server drops to an unprivileged user, who must be able to enter.
        folder.chmod(0o755)
        cohort, self.exported = folder / "cohort", folder / "export"
        self.dataset = cohort / "rawdata"
        if not self.exported.exists():
            options = [
                word for name, value in method.phantom.items()
                for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])]
            self.call("phantom", "write", str(cohort), *options, "--quiet")
            derivatives = [str(cohort / "derivatives" / name) for name in method.datasets]
            settings = [f"{name}={json.dumps(value)}" for name, value in method.settings.items()]
            self.call(
                "run", str(WORKFLOWS / method.workflow), str(self.dataset), "--derivatives", *derivatives, "--set", *settings, "--cores",
                str(threads))
            self.call("export", "1", str(self.exported), "--format", "bids")
        self.folds = {row["subject"]: row["fold"] for row in self.view("folds")}
        self.inputs, self.outputs = self.view("inputs"), self.view("outputs")
        self.by_digest = {
            hashlib.sha256(path.read_bytes()).hexdigest(): path for path in self.exported.rglob("*") if path.is_file()}

    def call(self, *arguments: str) -> str:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "QSMFLOW_"))}
        environment |= {"QSMFLOW_STATE": str(self.folder / "state")}
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.program} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def view(self, name: str) -> list[dict]:
        return json.loads(self.call("results", "1", name, "--format", "json"))

    def file(self, row: dict) -> Path:
        """Where the bytes of a file are that a task read or made."""
        return Path(row["path"]) if row.get("path") else self.by_digest[row["digest"]]

    def made(self, step: str, port: str, **context) -> Path:
        """- context: subject, or fold."""
        found = [
            row for row in self.outputs
            if row["step"] == step and row["port"] == port and all(row[key] == value for key, value in context.items())]
        assert len(found) == 1, f"{len(found)} files {step}.{port} of {context}"
        return self.file(found[0])

    def sessions(self, step: str, **context) -> list[Session]:
        """Whose files a task read, in the order in which trainings number them."""
        found: dict[tuple, Session] = {}
        for row in self.inputs:
            if row["step"] != step or row["from_subject"] is None or any(row[key] != context[key] for key in context):
                continue
            place = (row["from_subject"], row["from_session"] or "")
            session = found.setdefault(place, Session(row["from_subject"], row["from_session"], {}))
            session.files[row["port"]] = self.file(row)
            metadata = row["metadata"]
            metadata = json.loads(metadata) if isinstance(metadata, str) else metadata or {}
            session.units[row["port"]] = metadata.get("Units")
        return [found[place] for place in sorted(found)]

    def split(self, fold: int) -> dict[str, str]:
        """"training" or "validation" by person."""
        rows = table(self.made(self.method.train, "split", fold=fold))
        return {row["participant_id"].removeprefix("sub-"): row["part"] for row in rows}

    def curve(self, fold: int) -> list[dict]:
        return table(self.made(self.method.train, "curve", fold=fold))

    def training_seconds(self) -> tuple[float, float]:
        """On the clock and of the processors, of the trainings of all folds."""
        attempts = defaultdict(list)
        for row in self.view("attempts"):
            if row["step"] == self.method.train and row["outcome"] == "succeeded":
                attempts[row["fold"]].append((row["seconds"], row["cpu_seconds"]))
        assert attempts.keys() == set(self.folds.values()), "every fold was trained in this run"
        return tuple(sum(times[-1][n] for times in attempts.values()) for n in (0, 1))


def table(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
