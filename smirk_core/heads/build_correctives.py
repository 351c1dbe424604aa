# SPDX-License-Identifier: Apache-2.0
"""Pose correctives: what the jaw and eye joints leave of MakeHuman's jaw and gaze shapes.

Correctives are linear in elements of the joints' rotation matrices minus one. A turn by t about +x has sin t in
row 2, column 1 and cos t - 1 in row 1, column 1; about +y, sin t in row 0, column 2. A sine carries what changes
sign with the direction, a cosine what does not. Displacements are added before skinning, so they are solved through
its Jacobian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import Assembly
from .build_expressions import face_unit, finish_shape, lids_kept
from .build_lid_correctives import GAZE_ELEMENTS, closed_looking_down, lid_arcs, over_cornea
from .build_makehuman import MakeHuman
from .build_seating import Seated
from .build_skeleton import Skeleton

__all__ = ["ANGLES", "build_correctives"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

# Radians of a full ARKit weight; jawOpen is measured from MakeHuman's shape. Adults look 25 degrees up and down
# with comfort and 30 to the sides, and move the chin about a centimetre sideways.
ANGLES = {"jawLeft": 0.11, "eyeLookUp": 0.42, "eyeLookDown": 0.45, "eyeLookIn": 0.55, "eyeLookOut": 0.55}
_JAW, _LEFT_EYE, _RIGHT_EYE = 2, 3, 4
_SIN_X, _COS_X, _SIN_Y = 7, 4, 2  # row-major elements of a rotation matrix
_LIDS = 36  # the first of the lids' own features


def _feature(joint: int, element: int) -> int:
    return 9 * (joint - 1) + element


def _turned(points: Floats, weight: Floats, hinge: Floats, turn: Floats) -> Floats:
    """What skinning adds to points of one joint's weight when that joint turns about the hinge."""
    return weight[:, None] * ((points - hinge) @ (turn - np.eye(3)).T)


def build_correctives(
    human: MakeHuman, assembly: Assembly, template: Floats, centres: Floats, radius: float, skeleton: Skeleton,
    blinks: Floats, seated: Seated,
) -> tuple[Floats, Ints]:  # fmt: skip
    """(C, V, 3) displacements per unit of feature and the (C,) features; ``blinks`` (2, V, 3) are full closures.

    ``seated`` has the lids of random people, which stay on their eyes.
    """
    shapes, features = [], []

    def add(joint: int, element: int, shape: Floats) -> None:
        shapes.append(shape)
        features.append(_feature(joint, element))

    # jawOpen: jaw rotation plus corrective is MakeHuman's shape. Tongue and lower teeth ride on the jaw alone.
    hinge = skeleton.regressor[_JAW] @ template
    weight = skeleton.weights[:, _JAW]
    angle = skeleton.jaw_angle
    unit = face_unit(human, assembly, "jawOpen")
    wanted = np.zeros_like(template)
    wanted[assembly.slices["skin"]] = assembly.layout.crop @ unit
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    missing = wanted - _turned(template, weight, hinge, turn)
    jacobian = np.eye(3) + weight[:, None, None] * (turn - np.eye(3))
    offset = np.linalg.solve(jacobian, missing[..., None])[..., 0]
    skin = offset[assembly.slices["skin"]]
    add(_JAW, _SIN_X, finish_shape(assembly, template, centres, skin, None) / sine)

    # jawLeft: the part that changes sign between left and right.
    angle = ANGLES["jawLeft"]
    unit = face_unit(human, assembly, "jawLeft")
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    by_joint = _turned(template, weight, hinge, turn)
    skin = assembly.layout.crop @ unit
    chin = np.argsort(-weight * np.linalg.norm(by_joint, axis=1))[:200]
    chin = chin[chin < len(skin)]
    # Strengthened until its chin moves as far sideways as the joint's.
    skin = skin * (by_joint[chin, 0].mean() / skin[chin, 0].mean())
    missing = skin - by_joint[assembly.slices["skin"]]
    other = missing[assembly.layout.mirror] * [-1, 1, 1]
    add(_JAW, _SIN_Y, finish_shape(assembly, template, centres, (missing - other) / 2, None) / sine)

    # Lids follow the gaze up and down, and rise over the cornea.
    closed_down: list[Floats] = []
    for joint, side in ((_LEFT_EYE, "Left"), (_RIGHT_EYE, "Right")):
        down, up = (
            lids_kept(
                assembly, template, centres, radius, assembly.layout.crop @ face_unit(human, assembly, name + side)
            )
            for name in ("eyeLookDown", "eyeLookUp")
        )
        # down = odd sin d + even (cos d - 1) at angle d; up = -odd sin u + even (cos u - 1) at -u.
        d, u = ANGLES["eyeLookDown"], ANGLES["eyeLookUp"]
        odd, even = np.einsum(
            "ij,jvk->ivk",
            np.linalg.inv([[np.sin(d), np.cos(d) - 1], [-np.sin(u), np.cos(u) - 1]]),
            np.stack([down, up]),
        )
        eye = joint - _LEFT_EYE
        ahead = np.zeros((len(GAZE_ELEMENTS), *odd.shape))
        ahead[GAZE_ELEMENTS.index(_SIN_X)], ahead[GAZE_ELEMENTS.index(_COS_X)] = odd, even
        rings = assembly.layout.eye_rings[eye]
        skin = template[assembly.slices["skin"]]
        follow = over_cornea(
            skin, rings, assembly.layout.first_lid, centres[eye], ahead, seated.margins[eye], seated.radii[eye]
        )
        for element, shape in zip(GAZE_ELEMENTS, follow, strict=True):
            add(joint, element, finish_shape(assembly, template, centres, shape * 1e-3, None) * 1e3)
        gaze = np.tensordot([np.sin(d), np.cos(d) - 1], follow[:2], 1)
        closed_down.append(closed_looking_down(assembly, eye, template, blinks[eye], gaze, centres[eye], radius, d))
    arcs = lid_arcs(assembly, template, blinks, centres, radius)
    for eye in range(2):
        for k, shape in enumerate((arcs[eye], closed_down[eye])):
            shapes.append(finish_shape(assembly, template, centres, shape * 1e-3, None) * 1e3)
            features.append(_LIDS + 2 * eye + k)
    return np.array(shapes), np.array(features)
