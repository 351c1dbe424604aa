# SPDX-License-Identifier: Apache-2.0
"""What a recipe of the bundled encoder asks for: typed settings of its stages, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from smirk_core.errors import TrainingError

from ..data import SOURCES
from ..settings import parse_settings, read_tree

__all__ = [
    "STAGES", "Bank", "Calibration", "Draw", "Export", "Fits", "HeldOut", "Recipe", "Student", "Synthesis", "Teacher",
    "ablation", "load_recipe", "parse_recipe",
]  # fmt: skip

STAGES = (
    "fits", "bank", "held_out", "teacher", "synthesis", "calibration_bank", "calibration", "export", "student",
    "student_export",
)  # fmt: skip


@dataclass(frozen=True)
class Fits:
    """The head, fitted to portraits.

    Attributes:
        portraits: folder.
        limit: fit so many only; 0 for all.
        processes: that fit.
    """

    portraits: str = "../shared/faces/train"
    limit: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Draw:
    """Faces of one source; ``options`` are those that the source alone understands."""

    count: int = 0
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bank:
    """Drawn faces. ``reposed`` gets the fits and their portraits by itself.

    Attributes:
        draws: source -> how many of it and how.
        processes: that draw, a core each.
    """

    draws: dict[str, Draw] = field(default_factory=dict)
    processes: int = 1


@dataclass(frozen=True)
class HeldOut:
    """Other people, for figures along the way; none where ``portraits`` is empty."""

    portraits: str = ""
    limit: int = 0
    draws: dict[str, Draw] = field(default_factory=dict)
    processes: int = 1


@dataclass(frozen=True)
class Teacher:
    """The residual network; see :func:`training.bundled.train.train`.

    Attributes:
        minutes: of training, over all calls. faces: end there even if minutes are left; 0 for no such end.
        depth, widths: residual blocks and channels at its three sizes.
        only: one source of the bank.
        save_every: seconds between states.
    """

    minutes: float = 170.0
    faces: int = 0
    batch: int = 64
    rate: float = 1.5e-3
    floor: float = 0.02
    seed: int = 0
    depth: tuple[int, ...] = (1, 2, 3)
    widths: tuple[int, ...] = (48, 96, 160)
    only: str = ""
    save_every: float = 300.0


@dataclass(frozen=True)
class Synthesis:
    """Going on with the teacher on real photographs; left out where ``minutes`` is 0. ``cycle`` is the cycle path."""

    minutes: float = 25.0
    cycle: bool = True


@dataclass(frozen=True)
class Calibration:
    """Rest and gain of every number.

    Attributes:
        use: False ships what the network says as it is.
        photographs: also look at portraits at rest.
        draws: fresh faces with truth, as of :class:`Bank`.
        beside: larger ones of ``beside_size`` pixels, with room around, on which the encoder is weighed against the
            landmark detector; none leaves its uncertainties as the draws say.
        crop_scale: side of the crops over the landmarks' box, here and in the files.
    """

    use: bool = True
    photographs: bool = True
    draws: dict[str, Draw] = field(default_factory=dict)
    beside: dict[str, Draw] = field(default_factory=dict)
    beside_size: int = 280
    crop_scale: float = 1.1


@dataclass(frozen=True)
class Export:
    """Which network ships, and teaches the student."""

    network: Literal["teacher", "synthesis"] = "synthesis"


@dataclass(frozen=True)
class Student:
    """SMIRK's three networks, taught by the bank and by what ships; left out where ``minutes`` is 0."""

    minutes: float = 240.0
    faces: int = 0
    batch: int = 64
    rate: float = 1.5e-3
    floor: float = 0.02
    seed: int = 0
    shape_every: int = 3
    only: str = ""
    save_every: float = 300.0


@dataclass(frozen=True)
class Recipe:
    """All of it.

    Attributes:
        size: of the pictures in pixels.
        device: that trains the teacher and the student.
        threads: of torch on the processor.
        taken: stage -> folder of another run of a recipe whose results of that stage are used instead.
    """

    size: int = 112
    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    threads: int = 1
    taken: dict[str, str] = field(default_factory=dict)
    fits: Fits = field(default_factory=Fits)
    bank: Bank = field(default_factory=Bank)
    held_out: HeldOut = field(default_factory=HeldOut)
    teacher: Teacher = field(default_factory=Teacher)
    synthesis: Synthesis = field(default_factory=Synthesis)
    calibration: Calibration = field(default_factory=Calibration)
    export: Export = field(default_factory=Export)
    student: Student = field(default_factory=Student)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a YAML file, changed by ``stage.key=value`` lines.

    Raises:
        TrainingError: the file cannot be read, or a key or a value is not known; the line names it.
    """
    return parse_recipe(read_tree(path), overrides, str(path))


def parse_recipe(tree: Mapping[str, Any], overrides: Sequence[str] = (), source: str = "the recipe") -> Recipe:
    """A recipe from dictionaries; see :func:`load_recipe`."""
    recipe = parse_settings(Recipe, tree, overrides, source)
    _check(recipe, source)
    return recipe


def ablation(path: str | Path, name: str, whole: Path | None) -> list[str]:
    """Overrides that leave something out, from a file of ``name: {settings: [...], taken: [...]}``.

    Args:
        whole: folder of the whole run, whose results the stages of ``taken`` lend.

    Raises:
        TrainingError: there is no such ablation, or it has no form.
    """
    tree = read_tree(path)
    if name not in tree:
        raise TrainingError(f"{path} has no ablation '{name}'; there are {', '.join(tree)}.")
    found = tree[name]
    lists = {k: v for k, v in found.items() if k in ("settings", "taken")} if isinstance(found, dict) else {}
    if set(lists) != {"settings", "taken"} or not all(isinstance(v, list) for v in lists.values()):
        raise TrainingError(f"{path}: '{name}' needs lists 'settings' and 'taken'.")
    lent = [] if whole is None else [f"taken.{stage}={whole}" for stage in lists["taken"]]
    return [str(line) for line in lists["settings"]] + lent


def _check(recipe: Recipe, source: str) -> None:
    def refuse(words: str) -> None:
        raise TrainingError(f"{source}: {words}")

    draws = {"bank": recipe.bank.draws, "held_out": recipe.held_out.draws, "calibration": recipe.calibration.draws}
    for stage, some in draws.items():
        for name, draw in some.items():
            if name not in SOURCES:
                refuse(f"'{stage}.draws' names '{name}'; there are {', '.join(sorted(SOURCES))}.")
            if draw.count < 0:
                refuse(f"'{stage}.draws.{name}.count' must not be negative.")
    if recipe.size % 16 or recipe.size < 32:
        refuse(f"'size' is {recipe.size}; it must be a multiple of 16, from 32 on.")
    for name in recipe.taken:
        if name not in STAGES:
            refuse(f"'taken' names '{name}'; there are {', '.join(STAGES)}.")
    positive = {
        "teacher.minutes": recipe.teacher.minutes, "teacher.batch": recipe.teacher.batch,
        "student.batch": recipe.student.batch, "fits.processes": recipe.fits.processes,
        "bank.processes": recipe.bank.processes, "held_out.processes": recipe.held_out.processes,
        "threads": recipe.threads,
    }  # fmt: skip
    for name, value in positive.items():
        if value <= 0:
            refuse(f"'{name}' is {value}; it must be more than 0.")
    if recipe.export.network == "synthesis" and recipe.synthesis.minutes <= 0:
        refuse("'export.network' is 'synthesis', which has no minutes; say export.network=teacher.")
