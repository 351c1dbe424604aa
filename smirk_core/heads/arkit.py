# SPDX-License-Identifier: Apache-2.0
"""The 52 ARKit weights of a head as parameter groups, and back.

Thirteen of the 52 are not expression shapes in our groups: blinks are lid closure, jaw opening and sideways motion
are joint rotation, eyeLook* are gaze. ``HeadModel.angles`` says how many radians a weight of 1 turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .head_model import HeadModel
from .parameters import ARKIT_NAMES

__all__ = ["ARKIT_INDEX", "arkit_from_groups", "groups_from_arkit"]

Floats = npt.NDArray[np.floating[Any]]
ARKIT_INDEX: dict[str, int] = {name: i for i, name in enumerate(ARKIT_NAMES)}


def _column(weights: Floats, name: str) -> Floats:
    return weights[:, ARKIT_INDEX[name]]


def groups_from_arkit(model: HeadModel, weights: Floats) -> dict[str, Floats]:
    """(N, 52) ARKit weights to the groups expression (N, E), eyelids (N, 2), jaw (N, 3), eyes (N, 4).

    Convention: jawOpen 1 is ``angles["jawOpen"]`` radians about +x. jawLeft moves the chin to the subject's left
    (+y rotation). eyeLookIn is towards the nose: for the left eye a negative y rotation.
    """
    a = model.angles
    w = np.asarray(weights)
    expression = np.stack([_column(w, n) for n in model.expression_names], axis=1)
    eyelids = np.stack([_column(w, "eyeBlinkLeft"), _column(w, "eyeBlinkRight")], axis=1)
    sideways = a["jawLeft"] * (_column(w, "jawLeft") - _column(w, "jawRight"))
    jaw = np.stack([a["jawOpen"] * _column(w, "jawOpen"), sideways, np.zeros(len(w))], axis=1)
    eyes = []
    for side, out in (("Left", 1.0), ("Right", -1.0)):
        eyes.append(
            a["eyeLookDown"] * _column(w, "eyeLookDown" + side) - a["eyeLookUp"] * _column(w, "eyeLookUp" + side)
        )
        outward, inward = _column(w, "eyeLookOut" + side), _column(w, "eyeLookIn" + side)
        eyes.append(out * (a["eyeLookOut"] * outward - a["eyeLookIn"] * inward))
    return {"expression": expression, "eyelids": eyelids, "jaw": jaw, "eyes": np.stack(eyes, axis=1)}


def arkit_from_groups(model: HeadModel, groups: Mapping[str, Floats]) -> Floats:
    """Inverse of :func:`groups_from_arkit`: parameter groups to (N, 52) non-negative ARKit weights."""
    a = model.angles
    n = len(next(iter(groups.values())))
    weights = np.zeros((n, len(ARKIT_NAMES)))

    def put(name: str, values: Floats) -> None:
        weights[:, ARKIT_INDEX[name]] = values

    expression = groups.get("expression")
    if expression is not None:
        for i, name in enumerate(model.expression_names):
            if name in ARKIT_INDEX:
                put(name, expression[:, i])
    eyelids = groups.get("eyelids")
    if eyelids is not None:
        put("eyeBlinkLeft", eyelids[:, 0])
        put("eyeBlinkRight", eyelids[:, 1])
    jaw = groups.get("jaw")
    if jaw is not None:
        put("jawOpen", np.maximum(jaw[:, 0], 0) / a["jawOpen"])
        put("jawLeft", np.maximum(jaw[:, 1], 0) / a["jawLeft"])
        put("jawRight", np.maximum(-jaw[:, 1], 0) / a["jawLeft"])
    eyes = groups.get("eyes")
    if eyes is not None:
        for column, (side, out) in enumerate((("Left", 1.0), ("Right", -1.0))):
            pitch, outward = eyes[:, 2 * column], out * eyes[:, 2 * column + 1]
            put("eyeLookDown" + side, np.maximum(pitch, 0) / a["eyeLookDown"])
            put("eyeLookUp" + side, np.maximum(-pitch, 0) / a["eyeLookUp"])
            put("eyeLookOut" + side, np.maximum(outward, 0) / a["eyeLookOut"])
            put("eyeLookIn" + side, np.maximum(-outward, 0) / a["eyeLookIn"])
    return weights
