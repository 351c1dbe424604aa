# SPDX-License-Identifier: Apache-2.0
"""The ARKit shapes from MakeHuman's face units: symmetric, strengthened where they were faint, followed by all parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import Assembly
from .build_makehuman import MakeHuman, load_target
from .parameters import ARKIT_NAMES

__all__ = ["EXPRESSION_NAMES", "face_unit", "finish_shape", "expression_basis"]

Floats = npt.NDArray[np.floating[Any]]

# Jaw opening and sideways motion, gaze and blinks are joints and eyelids in this head.
EXPRESSION_NAMES: tuple[str, ...] = tuple(
    name
    for name in ARKIT_NAMES
    if not name.startswith(("eyeBlink", "eyeLook")) and name not in ("jawOpen", "jawLeft", "jawRight")
)


def face_unit(human: MakeHuman, assembly: Assembly, name: str) -> Floats:
    """(n, 3) source-space displacement of an ARKit shape, made symmetric with its partner's mirror image."""
    other = name
    for a, b in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(a):
            other = name.removesuffix(a) + b
            break
    here = load_target(human, f"faceunits/{name}")
    there = load_target(human, f"faceunits/{other}")
    return ((here + there[human.mirror] * [-1, 1, 1]) / 2)[assembly.layout.source]


def finish_shape(assembly: Assembly, template: Floats, centres: Floats, skin: Floats, source: Floats | None) -> Floats:
    """(V, 3) displacement of all parts for a (S, 3) displacement of the skin.

    Teeth and tongue take the source-space displacement where one is given; eyeballs stay; lashes and brows follow.
    """
    moved = template[None].copy()
    moved[0, assembly.slices["skin"]] += skin
    if source is not None:
        rest = np.zeros_like(moved)
        assembly.attach(rest, source[None])
        for name in ("upper_teeth", "lower_teeth", "tongue"):
            moved[0, assembly.slices[name]] += rest[0, assembly.slices[name]]
    assembly.grow(moved, centres[None])
    still = template[None].copy()
    assembly.grow(still, centres[None])
    return moved[0] - still[0]


def expression_basis(human: MakeHuman, assembly: Assembly, template: Floats, centres: Floats) -> Floats:
    """(39, V, 3) metres per unit weight."""
    shapes = []
    for name in EXPRESSION_NAMES:
        unit = face_unit(human, assembly, name)
        shapes.append(finish_shape(assembly, template, centres, assembly.layout.crop @ unit, unit))
    return np.array(shapes)
