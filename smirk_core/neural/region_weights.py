# SPDX-License-Identifier: Apache-2.0
"""How likely each triangle of a head is to lend pixels to the generator: skin of the face, not eyes, ears or teeth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..heads.safe_pickle import load_npy

__all__ = ["flame_triangle_regions", "flame_weights", "region_weights"]

Ints = npt.NDArray[np.integer[Any]]
# In this order, later ones overwrite; what is in none has 0. Source: specification, section 5.2.
_FLAME = (
    ("neck", 0.0), ("right_eyeball", 0.0), ("right_ear", 0.0), ("lips", 0.5), ("nose", 0.5), ("left_ear", 0.0),
    ("eye_region", 1.0), ("forehead", 1.0), ("left_eye_region", 1.0), ("right_eye_region", 1.0), ("face_clean", 1.0),
    ("cleaner_lips", 1.0),
)  # fmt: skip
_EXTRA = ("face_clean", "cleaner_lips")  # only FLAME_masks_triangles.npy has them
_OPEN_HALF = ("lips", "nose")
_OPEN_NEVER = (
    "left_eyeball", "right_eyeball", "ears", "neck", "scalp", "lashes", "brow_strips", "teeth", "tongue",
    "mouth_interior", "sockets",
)  # fmt: skip


def flame_triangle_regions(path: str | os.PathLike[str], triangles: int) -> dict[str, Ints]:
    """Region name -> triangle indices, from SMIRK's ``FLAME_masks_triangles.npy``.

    Raises:
        AssetError: the file is missing, damaged or of another mesh.
    """
    table = load_npy(path)
    regions = table.item() if table.shape == () and table.dtype.hasobject else None
    if not isinstance(regions, dict) or not regions:
        raise AssetError(f"{path} does not hold FLAME's regions of triangles.")
    out = {}
    for name, rows in regions.items():
        index = np.asarray(rows)
        if not isinstance(name, str) or index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
            raise AssetError(f"{path} does not hold FLAME's regions of triangles.")
        if len(index) and (index.min() < 0 or index.max() >= triangles):
            raise AssetError(f"{path} does not fit FLAME: region '{name[:40]}' names triangles that the mesh lacks.")
        out[name] = index.astype(np.int64)
    return out


def flame_weights(regions: Mapping[str, Ints], triangles: int) -> npt.NDArray[np.float32]:
    """(F,) the original's weights.

    Raises:
        AssetError: a region is missing.
    """
    missing = [name for name, _ in _FLAME if name not in regions]
    if missing:
        raise AssetError(f"FLAME's regions of triangles lack '{missing[0]}'.")
    weights = np.zeros(triangles, np.float32)
    for name, value in _FLAME:
        weights[regions[name]] = value
    return weights


def region_weights(head: HeadModel, masks: str | os.PathLike[str] | None = None) -> Tensor:
    """Weights of a head's triangles, float32 (F,).

    Args:
        head: any head. FLAME's triangles belong to a region if any of their vertices does, the bundled head's if all.
        masks: for FLAME, ``FLAME_masks_triangles.npy``. Without it the vertex regions of FLAME_masks.pkl serve, where
            the head has them; cheeks and chin then count as the rest of the region "face".

    Raises:
        AssetError: the file does not fit, or the head has no region "face".
    """
    triangles = np.asarray(head.triangles)
    if masks is not None:
        return torch.from_numpy(flame_weights(flame_triangle_regions(masks, len(triangles)), len(triangles)))
    if "face" not in head.regions:
        raise AssetError(
            f"The head {head.name} has no regions: name FLAME_masks_triangles.npy of SMIRK's assets folder, or put "
            "FLAME_masks.pkl beside the model."
        )
    if "eye_region" in head.regions:
        found = {n: np.flatnonzero(m[triangles].any(1)) for n, m in head.regions.items()}
        lips_nose = head.regions["lips"] | head.regions["nose"]
        found["face_clean"] = np.flatnonzero(head.regions["face"][triangles].all(1) & ~lips_nose[triangles].any(1))
        found["cleaner_lips"] = np.zeros(0, np.int64)
        none = np.zeros(0, np.int64)
        balls = np.concatenate([found.get(n, none) for n in ("left_eyeball", "right_eyeball")])
        weights = flame_weights({n: none for n, _ in _FLAME} | found, len(triangles))
        weights[balls] = 0
        return torch.from_numpy(weights)
    weights = head.regions["face"][triangles].all(1).astype(np.float32)
    for name in _OPEN_HALF:
        if name in head.regions:
            weights[head.regions[name][triangles].any(1) & (weights > 0)] = 0.5
    for name in _OPEN_NEVER:
        if name in head.regions:
            weights[head.regions[name][triangles].any(1)] = 0
    return torch.from_numpy(weights)
