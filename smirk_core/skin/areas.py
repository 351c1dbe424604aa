# SPDX-License-Identifier: Apache-2.0
"""Where on a head skin differs: soft masks per vertex, of any head with eyes.

Places are given in the frame of the face: the origin between the eyes' centres, lengths in distances between them
(58 mm on the open head), x to the subject's left, y up, z forward. They are soft shapes around textbook anatomy; the
head's named regions, where it has them, draw the borders of lips, ears, scalp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel

__all__ = ["AREAS", "face_places", "skin_areas", "soft_region"]

Floats = npt.NDArray[np.floating[Any]]
AREAS = ("lips", "flush", "socket", "tzone", "beard", "scalp", "thin", "sun", "crease", "vein", "blush", "shadow")


def face_places(model: HeadModel) -> tuple[Floats, float]:
    """(V, 3) the template in the frame of the face, and the distance between the eyes in metres.

    Raises:
        AssetError: the head has no eyes.
    """
    if not {"left_eye", "right_eye"} <= set(model.joint_names):
        raise AssetError(f"The head '{model.name}' has no eye joints, so its skin cannot be painted.")
    rest = np.asarray(model.template, np.float64)
    left, right = (model.joint_regressor[model.joint_names.index(n)] @ rest for n in ("left_eye", "right_eye"))
    unit = float(np.linalg.norm(left - right))
    return (rest - (left + right) / 2) / unit, unit


def soft_region(model: HeadModel, names: tuple[str, ...], steps: int) -> Floats:
    """(V,) 0..1, the union of regions with its edge blurred over ``steps`` rings of vertices; 0 where unknown."""
    mask = np.zeros(len(model.template))
    for name in names:
        if name in model.regions:
            mask = np.maximum(mask, model.regions[name])
    corners = model.triangles
    pairs = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    codes = np.unique(pairs[:, 0] * np.int64(len(mask)) + pairs[:, 1])
    a, b = codes // len(mask), codes % len(mask)
    neighbours = np.maximum(np.bincount(np.concatenate([a, b]), minlength=len(mask)), 1)
    for _ in range(steps):
        around = np.bincount(a, mask[b], len(mask)) + np.bincount(b, mask[a], len(mask))
        mask = 0.5 * mask + 0.5 * around / neighbours
    return mask


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def skin_areas(model: HeadModel) -> dict[str, Floats]:
    """Area -> (V,) float32 0..1.

    ``lips``; ``flush`` (nose, cheeks, ears, chin: near the blood); ``socket`` (dark skin around the eyes); ``tzone``
    (oil and large pores: forehead, nose, inner cheeks, chin); ``beard``; ``scalp``; ``thin`` (ears, lids, wings of
    the nose: light shines through); ``sun`` (where freckles grow); ``crease`` (wings of the nose, corners of mouth
    and eyes: redder and darker); ``vein`` (temples, under the eyes); ``blush`` and ``shadow`` (of make-up).
    """
    place, _ = face_places(model)
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]

    def blob(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Floats:
        away = (np.stack([x, y, z], axis=1) - centre) / size
        return np.exp(-0.5 * (away**2).sum(axis=1))

    lips, ears = soft_region(model, ("lips", "mouth_interior"), 1), soft_region(model, ("ears",), 3)
    scalp = soft_region(model, ("scalp",), 3)
    nose = blob((0, -0.62, 0.6), (0.2, 0.16, 0.2))
    wings = blob((0.25, -0.72, 0.42), (0.1, 0.1, 0.16))
    cheek = blob((0.62, -0.55, 0.15), (0.24, 0.22, 0.35))
    chin = blob((0, -1.75, 0.3), (0.25, 0.16, 0.35))
    under = blob((0.46, -0.22, 0.2), (0.22, 0.09, 0.3))
    above = blob((0.48, 0.14, 0.2), (0.26, 0.08, 0.3))
    inner = blob((0.22, -0.03, 0.2), (0.08, 0.1, 0.2))
    front = _step(-0.75, -0.1, z)
    forehead = _step(0.25, 0.5, y) * (1 - _step(1.0, 1.35, y)) * (1 - _step(0.35, 0.75, x)) * front
    # A beard's upper edge runs from the sideburn down to the corner of the mouth and over the lip to the nose.
    edge = np.interp(x, [0, 0.2, 0.34, 0.5, 0.8, 1.05, 1.2], [-0.86, -0.88, -0.98, -1.12, -0.92, -0.5, -0.1])
    beard = (1 - _step(-0.1, 0.1, y - edge)) * _step(-2.62, -2.2, y)
    beard *= _step(-1.25, -0.85, z) * (1 - 0.75 * blob((0.22, -1.42, 0.45), (0.09, 0.08, 0.3)))
    bald = 1 - scalp
    areas = {
        "lips": lips,
        "flush": np.maximum.reduce([0.9 * nose, 0.85 * wings, cheek, 0.5 * chin, 0.55 * ears]),
        "socket": np.maximum.reduce([0.9 * under, 0.65 * above, inner]),
        "tzone": np.maximum.reduce(
            [forehead, nose, wings, 0.8 * blob((0.32, -0.5, 0.35), (0.16, 0.25, 0.25)), 0.7 * chin]
        ),
        "beard": beard * (1 - lips) * (1 - ears),
        "scalp": scalp,
        "thin": np.maximum.reduce([0.7 * ears, 0.6 * wings, 0.5 * blob((0.5, 0.0, 0.2), (0.3, 0.1, 0.3))]),
        "sun": np.maximum.reduce(
            [cheek, nose, 0.9 * blob((0.35, -0.4, 0.4), (0.3, 0.2, 0.3)), 0.75 * forehead, 0.35 * front * bald]
        ),
        "crease": np.maximum.reduce([
            blob((0.3, -0.72, 0.38), (0.06, 0.12, 0.15)), 0.8 * blob((0.46, -1.14, 0.15), (0.06, 0.06, 0.15)),
            0.6 * blob((0.78, -0.02, 0.05), (0.06, 0.05, 0.15)), 0.5 * blob((0, -1.47, 0.45), (0.2, 0.05, 0.2)),
        ]),
        "vein": np.maximum(blob((1.02, 0.35, -0.4), (0.25, 0.4, 0.4)), 0.9 * under),
        "blush": blob((0.74, -0.5, 0.05), (0.22, 0.17, 0.4)),
        "shadow": np.maximum(above, 0.5 * blob((0.72, 0.02, 0.1), (0.1, 0.1, 0.2))),
    }  # fmt: skip
    return {name: np.clip(areas[name], 0, 1).astype(np.float32) for name in AREAS}
