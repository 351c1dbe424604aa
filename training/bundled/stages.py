# SPDX-License-Identifier: Apache-2.0
"""The stages of the bundled encoder: where each puts its result, what it needs, when it is done and what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from smirk_core.errors import TrainingError

from ..data.fit_portraits import fit_portraits
from ..settings import as_dict
from . import calibrate, export, synthesis
from .drawing import fill, is_filled
from .recipe_settings import STAGES, Draw, Recipe, Student, Teacher
from .states import read_state
from .train import train

__all__ = ["TABLE", "Run", "Stage", "taught"]

_BESIDE = "beside"  # in the folder of the calibration's bank
_FILES = {"fits": "fits.npz", "calibration": "calibration.json", "export": "files", "student_export": "student_files"}


@dataclass(frozen=True)
class Run:
    """A recipe in a folder.

    Attributes:
        recipe: what is asked for.
        folder: of all results; ``recipe.json`` there says what each stage was asked for and what it took.
    """

    recipe: Recipe
    folder: Path

    def path(self, stage: str) -> Path:
        """Where the result of a stage is."""
        lender = self.recipe.taken.get(stage)
        return (Path(lender) if lender else self.folder) / _FILES.get(stage, stage)

    @property
    def network(self) -> str:
        """The stage whose network ships."""
        return self.recipe.export.network

    def asked(self, stage: str) -> bool:
        """Whether the recipe has the stage at all."""
        recipe, calibration = self.recipe, self.recipe.calibration
        drawn = recipe.bank.draws | (calibration.draws if calibration.use else {})
        portraits = "reposed" in drawn or recipe.synthesis.minutes > 0 or (calibration.use and calibration.photographs)
        return {
            "fits": portraits, "held_out": bool(recipe.held_out.portraits), "synthesis": recipe.synthesis.minutes > 0,
            "calibration_bank": calibration.use, "calibration": calibration.use,
            "student": recipe.student.minutes > 0, "student_export": recipe.student.minutes > 0,
        }.get(stage, True)  # fmt: skip

    def settings(self, stage: str) -> dict[str, Any]:
        """Those that decide what a stage makes."""
        recipe = self.recipe
        section = {"calibration_bank": "calibration", "student_export": "export"}.get(stage, stage)
        out: dict[str, Any] = {k: v for k, v in as_dict(getattr(recipe, section)).items() if k != "processes"}
        if section == "calibration":
            kept = ("draws", "beside", "beside_size") if stage == "calibration_bank" else ("photographs", "crop_scale")
            out = {k: out[k] for k in kept}
        if section == "export":
            out |= {"use": recipe.calibration.use, "crop_scale": recipe.calibration.crop_scale}
        return out | {"size": recipe.size}


def _fill(
    run: Run, bank: Path, draws: dict[str, Draw], fits: Path, portraits: str, jobs: int, minutes: float,
    size: int | None = None,
) -> None:  # fmt: skip
    until = time.monotonic() + 60 * minutes
    for source, draw in draws.items():
        left = (until - time.monotonic()) / 60
        if left <= 0 or not draw.count:
            continue
        own = {"fits": str(fits), "faces": portraits} if source == "reposed" else {}
        fill(
            bank, source, draw.count, size=size or run.recipe.size, seed=draw.seed, options=own | draw.options,
            processes=jobs, minutes=left,
        )  # fmt: skip


def _filled(bank: Path, draws: dict[str, Draw]) -> bool:
    return all(is_filled(bank, source, draw.count, draw.seed) for source, draw in draws.items())


def _fits(run: Run, minutes: float) -> None:
    asked = run.recipe.fits
    print(fit_portraits(Path(asked.portraits), run.path("fits"), asked.processes, asked.limit or None, minutes))


def _bank(run: Run, minutes: float) -> None:
    asked = run.recipe.bank
    _fill(run, run.path("bank"), asked.draws, run.path("fits"), run.recipe.fits.portraits, asked.processes, minutes)


def _held_out(run: Run, minutes: float) -> None:
    asked, fits = run.recipe.held_out, run.path("held_out") / "fits.npz"
    until = time.monotonic() + 60 * minutes
    if not fits.is_file():
        fit_portraits(Path(asked.portraits), fits, asked.processes, asked.limit or None, minutes)
    if fits.is_file() and time.monotonic() < until:
        left = (until - time.monotonic()) / 60
        _fill(run, fits.parent, asked.draws, fits, asked.portraits, asked.processes, left)


def _calibration_bank(run: Run, minutes: float) -> None:
    asked, jobs, portraits = run.recipe.calibration, run.recipe.bank.processes, run.recipe.fits.portraits
    folder, fits, until = run.path("calibration_bank"), run.path("fits"), time.monotonic() + 60 * minutes
    _fill(run, folder, asked.draws, fits, portraits, jobs, minutes)
    left = (until - time.monotonic()) / 60
    _fill(run, folder / _BESIDE, asked.beside, fits, portraits, jobs, left, asked.beside_size)


def _calibration_bank_is_there(run: Run) -> bool:
    folder, asked = run.path("calibration_bank"), run.recipe.calibration
    return _filled(folder, asked.draws) and _filled(folder / _BESIDE, asked.beside)


def _taught(run: Run, kind: str, asked: Teacher | Student, minutes: float) -> None:
    held_out = run.path("held_out") if run.asked("held_out") and TABLE["held_out"].done(run) else None
    own: dict[str, Any] = (
        {"depth": asked.depth, "widths": asked.widths} if isinstance(asked, Teacher)
        else {"shape_every": asked.shape_every, "teacher": run.path(run.network)}
    )  # fmt: skip
    train(
        kind, run.path(kind), run.path("bank"), minutes=asked.minutes, faces=asked.faces, batch=asked.batch,
        rate=asked.rate, floor=asked.floor, seed=asked.seed, only=asked.only, save_every=asked.save_every,
        held_out=held_out, stop_after=minutes, device=run.recipe.device, **own,
    )  # fmt: skip


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> tuple[float, int]:
    """Seconds and faces that a state has had; ``changed`` tells its versions apart."""
    state = read_state(path.parent)
    return (0.0, 0) if state is None else (float(state["spent"]), int(state["seen"]))


def taught(run: Run, stage: str) -> tuple[float, int]:
    """Minutes and faces that a training has had."""
    path = _state(run, stage)
    seconds, seen = _read(path, path.stat().st_mtime_ns) if path.is_file() else (0.0, 0)
    return seconds / 60, seen


def _is_taught(run: Run, stage: str, minutes: float, faces: int = 0) -> bool:
    spent, seen = taught(run, stage)
    return spent >= minutes or 0 < faces <= seen


def _synthesis(run: Run, minutes: float) -> None:
    asked = run.recipe.synthesis
    words = [
        str(run.path("synthesis")), "--from", str(run.path("teacher")), "--bank", str(run.path("bank")),
        "--faces", run.recipe.fits.portraits, "--fits", str(run.path("fits")), "--minutes", str(asked.minutes),
        "--stop-after", str(minutes), "--threads", str(run.recipe.threads),
    ]  # fmt: skip
    words += [] if asked.cycle else ["--no-cycle"]
    words += ["--held-out", str(run.path("held_out"))] if run.asked("held_out") and TABLE["held_out"].done(run) else []
    _command(synthesis.main, words, "synthesis")


def _calibrated(run: Run, network: Path, output: Path) -> None:
    asked, portraits = run.recipe.calibration, run.recipe.fits.portraits
    words = [str(network), "--bank", str(run.path("calibration_bank")), "-o", str(output)]
    words += ["--crop-scale", str(asked.crop_scale)]
    words += ["--fits", str(run.path("fits")), "--faces", portraits] if asked.photographs else []
    if any(draw.count for draw in asked.beside.values()):
        words += ["--beside", str(run.path("calibration_bank") / _BESIDE)]
    _command(calibrate.main, words, "calibration")


def _exported(run: Run, stage: str, network: Path, calibration: Path) -> None:
    words = [str(network), "-o", str(run.path(stage)), "--crop-scale", str(run.recipe.calibration.crop_scale)]
    words += ["--calibration", str(calibration)] if run.recipe.calibration.use else []
    _command(export.main, words, stage)


def _student_export(run: Run, minutes: float) -> None:
    del minutes
    calibration = run.path("student_export") / "calibration.json"
    if run.recipe.calibration.use:
        _calibrated(run, run.path("student"), calibration)
    _exported(run, "student_export", run.path("student"), calibration)


def _command(call: Callable[[Sequence[str]], int], words: Sequence[str], stage: str) -> None:
    if call(words):
        raise TrainingError(f"The stage '{stage}' was not done; the line above says why.")


def _made_after(output: Path, *inputs: Path) -> bool:
    """Whether a file is there and not older than what it was made from."""
    there = [p for p in inputs if p.is_file()]
    return output.is_file() and all(output.stat().st_mtime >= p.stat().st_mtime for p in there)


def _state(run: Run, stage: str) -> Path:
    return run.path(stage) / "state.pt"


@dataclass(frozen=True)
class Stage:
    """One step of the recipe.

    Attributes:
        work: does it for about so many minutes, or some of it.
        done: whether its result is whole.
        needs: stages whose results it reads.
        quick: takes a minute or two and is simply done again where its settings changed.
    """

    work: Callable[[Run, float], None]
    done: Callable[[Run], bool]
    needs: Callable[[Run], list[str]] = lambda run: []
    quick: bool = False


TABLE: dict[str, Stage] = {
    "fits": Stage(_fits, lambda run: run.path("fits").is_file()),
    "bank": Stage(
        _bank, lambda run: _filled(run.path("bank"), run.recipe.bank.draws),
        lambda run: ["fits"],
    ),
    "held_out": Stage(_held_out, lambda run: _filled(run.path("held_out"), run.recipe.held_out.draws)),
    "teacher": Stage(
        lambda run, minutes: _taught(run, "teacher", run.recipe.teacher, minutes),
        lambda run: _is_taught(run, "teacher", run.recipe.teacher.minutes, run.recipe.teacher.faces),
        lambda run: ["bank"],
    ),
    "synthesis": Stage(
        _synthesis, lambda run: _is_taught(run, "synthesis", run.recipe.synthesis.minutes),
        lambda run: ["fits", "bank", "teacher"],
    ),
    "calibration_bank": Stage(
        _calibration_bank, _calibration_bank_is_there,
        lambda run: ["fits"],
    ),
    "calibration": Stage(
        lambda run, minutes: _calibrated(run, run.path(run.network), run.path("calibration")),
        lambda run: _made_after(run.path("calibration"), _state(run, run.network)),
        lambda run: ["fits", "calibration_bank", run.network], quick=True,
    ),
    "export": Stage(
        lambda run, minutes: _exported(run, "export", run.path(run.network), run.path("calibration")),
        lambda run: _made_after(
            run.path("export") / "encoder.json", _state(run, run.network), run.path("calibration")
        ),
        lambda run: [run.network, "calibration"], quick=True,
    ),
    "student": Stage(
        lambda run, minutes: _taught(run, "student", run.recipe.student, minutes),
        lambda run: _is_taught(run, "student", run.recipe.student.minutes, run.recipe.student.faces),
        lambda run: ["bank", run.network],
    ),
    "student_export": Stage(
        _student_export,
        lambda run: _made_after(run.path("student_export") / "encoder.json", _state(run, "student")),
        lambda run: ["student", "fits", "calibration_bank"], quick=True,
    ),
}  # fmt: skip
assert tuple(TABLE) == STAGES
