# SPDX-License-Identifier: Apache-2.0
"""What an encoder does not see, the landmark detector only guesses: such landmarks and what is read from them count
less.

A detector puts its landmarks where a hidden mouth or brow usually is, with full confidence and often with a strong
expression. An encoder of ours says how much of each region of the face is to be seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoder.extras import REGIONS, region_masks
from ..heads.decode import decode
from ..heads.head_model import HeadModel, LandmarkEmbedding

__all__ = ["trust_of_landmarks", "trust_of_motion", "trust_of_regions"]

Floats = npt.NDArray[np.floating[Any]]
_SEEN, _GONE = 0.95, 0.5  # shares of a region from which on it counts as seen, and below which as hidden
_LEAST = 0.02  # what is left of the trust in a hidden one
_KEPT: dict[str, dict[str, Floats]] = {}  # shares of the head that was asked for last
_MOVING = ("expression", "eyelids", "jaw", "eyes")


def trust_of_regions(visibility: Floats) -> Floats:
    """(S, R) shares of regions that are to be seen, to factors in [0.02, 1] on what is read from their landmarks.

    Shares near 1 change nothing: an open face is never said to be open all of it.
    """
    return np.clip((np.asarray(visibility, np.float64) - _GONE) / (_SEEN - _GONE), _LEAST, 1.0)


def trust_of_landmarks(model: HeadModel, embedding: LandmarkEmbedding, trust: Floats) -> Floats:
    """(S, R) trust of regions to (S, L) of landmarks; those of no region are trusted as much as the nearest one is."""
    return trust[:, _nearest_region(model)[model.triangles[embedding.triangles, 0]]]


def trust_of_motion(model: HeadModel, trust: Floats) -> dict[str, Floats]:
    """(S, R) trust of regions to (S, size) of the moving groups: each number by where on the face it moves most."""
    share = _shares(model)
    return {name: trust @ share[name].T for name in _MOVING}


def _nearest_region(model: HeadModel) -> npt.NDArray[np.intp]:
    """(V,) the region of each vertex, or the one whose middle is nearest."""
    masks = region_masks(model)
    middles = np.stack([model.template[m].mean(0) for m in masks])
    near = np.linalg.norm(model.template[:, None] - middles[None], axis=-1).argmin(1)
    return np.where(masks.any(0), masks.argmax(0), near)


def _shares(model: HeadModel) -> dict[str, Floats]:
    """(size, R) of each moving group: how its movement of the mean head is shared among the regions; rows sum to 1."""
    if model.digest in _KEPT:
        return _KEPT[model.digest]
    masks = region_masks(model).astype(np.float64)
    masks /= masks.sum(1, keepdims=True)  # a large region does not move more for being large
    sizes = {"expression": model.expression_size, "eyelids": 2, "jaw": 3, "eyes": 4}
    out = {}
    rest = {"identity": np.zeros((1, model.identity_size)), "rotation": np.zeros((1, 3))}
    still = decode(model, rest | {n: np.zeros((1, s)) for n, s in sizes.items()}).vertices[0]
    for name, size in sizes.items():
        if name == "eyes":  # an eyeball moves no skin
            out[name] = np.zeros((4, len(REGIONS)))
            out[name][:2, REGIONS.index("left eye")] = out[name][2:, REGIONS.index("right eye")] = 1
            continue
        if name != "jaw":
            motion = model.expression_basis if name == "expression" else model.eyelid_basis
        else:
            zeros = {n: np.zeros((size, s)) for n, s in sizes.items()}
            zeros |= {n: np.repeat(v, size, 0) for n, v in rest.items()}
            motion = decode(model, zeros | {name: 0.3 * np.eye(size)}).vertices - still
        energy = np.square(motion).sum(-1) @ masks.T + 1e-15
        out[name] = energy / energy.sum(1, keepdims=True)
    _KEPT.clear()
    _KEPT[model.digest] = out
    return out
