# SPDX-License-Identifier: Apache-2.0
"""The ARKit shapes from MakeHuman's face units: symmetric, stronger where they were faint, followed by all parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import Assembly
from .build_eyes import blink_shape, keep_lids
from .build_makehuman import MakeHuman, load_target
from .build_mouth import ROLLED_TEETH, closing_lining
from .build_skeleton import smooth
from .parameters import ARKIT_NAMES

__all__ = ["EXPRESSION_NAMES", "expression_basis", "eyelid_basis", "face_unit", "finish_shape", "lids_kept"]

Floats = npt.NDArray[np.floating[Any]]

# Jaw opening and sideways motion, gaze and blinks are joints and eyelids in this head.
EXPRESSION_NAMES: tuple[str, ...] = tuple(
    name
    for name in ARKIT_NAMES
    if not name.startswith(("eyeBlink", "eyeLook")) and name not in ("jawOpen", "jawLeft", "jawRight")
)

# What a full weight of ours is in MakeHuman's: several of its shapes are fainter than a face at its extreme.
STRENGTH = {
    "browDown": 1.2,
    "browInnerUp": 1.5,
    "browOuterUp": 1.2,
    "noseSneer": 1.5,
    "cheekPuff": 1.35,
    "mouthFrown": 1.25,
    "mouthLowerDown": 1.3,
    "mouthUpperUp": 1.2,
    "eyeSquint": 1.2,
}
# Rounds of smoothing for shapes whose edges would show as creases in the cheek.
SMOOTHING = {"mouthSmile": 6, "cheekPuff": 6, "cheekSquint": 4, "mouthDimple": 2, "mouthStretch": 2}


def _away_from_openings(assembly: Assembly) -> Floats:
    """(S,) 1 on open skin, 0 on lips and lids, whose loops must keep their exact shapes."""
    layout = assembly.layout
    near = np.zeros(len(layout.mirror))
    near[layout.mouth_rings.ravel()] = 1
    near[layout.eye_rings.ravel()] = 1
    near[layout.sockets.ravel()] = 1
    return 1 - np.clip(2 * smooth(near, assembly, 2), 0, 1)


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

    Lower teeth and tongue follow the source-space displacement if there is one; eyeballs stay; lashes and brows follow.
    """
    moved = template[None].copy()
    moved[0, assembly.slices["skin"]] += skin
    if source is not None:
        moved[0] += assembly.carry(source)
    assembly.grow(moved, centres[None])
    still = template[None].copy()
    assembly.grow(still, centres[None])
    return moved[0] - still[0]


def lids_kept(assembly: Assembly, template: Floats, centres: Floats, radius: float, skin: Floats) -> Floats:
    """A displacement of the skin with the lids of both eyes kept on their balls."""
    layout = assembly.layout
    rest = template[assembly.slices["skin"]]
    for side in range(2):
        skin = keep_lids(rest, skin, layout.eye_rings[side], layout.first_lid, centres[side], radius)
    return skin


def expression_basis(
    human: MakeHuman, assembly: Assembly, template: Floats, centres: Floats, radius: float, unskin: Floats
) -> Floats:
    """(39, V, 3) metres per unit weight.

    Args:
        unskin: (S, 3, 3) inverse of what skinning does to a displacement while the jaw is open. MakeHuman's
            mouthClose undoes jawOpen, so it is stated in the open jaw's frame.
    """
    shapes = []
    for name in EXPRESSION_NAMES:
        unit = face_unit(human, assembly, name) * STRENGTH.get(name.removesuffix("Left").removesuffix("Right"), 1.0)
        skin = assembly.layout.crop @ unit
        rounds = SMOOTHING.get(name.removesuffix("Left").removesuffix("Right"), 0)
        if rounds:
            skin = skin + _away_from_openings(assembly)[:, None] * (smooth(skin, assembly, rounds) - skin)
        skin = lids_kept(assembly, template, centres, radius, skin)
        if name == "mouthClose":
            skin = skin + closing_lining(len(skin), assembly.layout.mouth_rings, assembly.layout.seam)
            skin = np.einsum("vij,vj->vi", unskin, skin)
            unit = unit * 0  # lower teeth and tongue go with the jaw
        shapes.append(finish_shape(assembly, template, centres, skin, unit))
        if name == "tongueOut":
            shapes[-1][assembly.slices["tongue"]] = assembly.tongue_out
        if name == "mouthRollUpper":
            shapes[-1][assembly.slices["upper_teeth"]] = ROLLED_TEETH
    return np.array(shapes)


def eyelid_basis(human: MakeHuman, assembly: Assembly, template: Floats, centres: Floats, radius: float) -> Floats:
    """(2, V, 3) metres at full closure, left and right."""
    layout = assembly.layout
    skin = template[assembly.slices["skin"]]
    unit = layout.crop @ face_unit(human, assembly, "eyeBlinkLeft")
    left = blink_shape(skin, layout.eye_rings[0], layout.first_lid, centres[0], radius, unit)
    right = left[layout.mirror] * [-1, 1, 1]
    return np.array([finish_shape(assembly, template, centres, side, None) for side in (left, right)])
