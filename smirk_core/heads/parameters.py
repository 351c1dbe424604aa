# SPDX-License-Identifier: Apache-2.0
"""What moves a head: every parameter group as data (name, size, unit, range, meaning).

Blender keys, take arrays, solver blocks and documentation are all generated from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ARKIT_NAMES",
    "FRAME_GROUPS",
    "JOINT_GROUPS",
    "ParameterGroup",
    "frame_groups",
]


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """One group of numbers that drives a head.

    Attributes:
        name: key in takes and in :func:`smirk_core.heads.decode.decode`.
        size: how many numbers; ``None`` where the head model decides.
        unit: physical unit, for people.
        low, high: the range that a slider shows and a solve respects.
        meaning: one sentence with the sign convention.
    """

    name: str
    size: int | None
    unit: str
    low: float
    high: float
    meaning: str


FRAME_GROUPS: tuple[ParameterGroup, ...] = (
    ParameterGroup("expression", None, "weight", 0.0, 1.0, "expression weights, named by the head model"),
    ParameterGroup("eyelids", 2, "weight", 0.0, 1.0, "lid closure (left, right): 0 as in neutral, 1 just closed"),
    ParameterGroup(
        "jaw", 3, "radian", -0.6, 0.6, "jaw rotation vector: +x opens, +y moves the chin to the subject's left"
    ),
    ParameterGroup(
        "rotation", 3, "radian", -3.2, 3.2, "head rotation vector about the root joint, head frame to camera frame"
    ),
    ParameterGroup("neck", 3, "radian", -1.0, 1.0, "neck rotation vector relative to the root"),
    ParameterGroup(
        "eyes",
        4,
        "radian",
        -0.8,
        0.8,
        "gaze (left x, left y, right x, right y): +x looks down, +y to the subject's left",
    ),
    ParameterGroup(
        "camera", 3, "px/m, px, px", -1e6, 1e6, "scaled-orthographic camera in full-frame pixels: (scale, tx, ty)"
    ),
    ParameterGroup("confidence", 1, "0..1", 0.0, 1.0, "how far this frame's values can be trusted"),
    ParameterGroup("visibility", 1, "0..1", 0.0, 1.0, "1 where a face was seen, 0 where the values bridge a gap"),
)

JOINT_GROUPS: tuple[str, ...] = ("rotation", "neck", "jaw", "eyes")


def frame_groups(expression_size: int) -> dict[str, int]:
    """Sizes of the per-frame groups for a head with ``expression_size`` expressions."""
    return {g.name: expression_size if g.size is None else g.size for g in FRAME_GROUPS}


# Apple's 52 face blend-shape locations, in the order of ARKit's documentation.
ARKIT_NAMES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
