# SPDX-License-Identifier: Apache-2.0
"""Libraries of expressions for the cycle path: our own by name, or FLAME's recorded ones from the user's folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..heads.presets import PRESETS, preset_groups
from ..heads.safe_pickle import load_npy

__all__ = ["FAMOS_CLASSES", "famos_templates", "named_library"]

FAMOS_CLASSES = (
    "lips_back", "rolling_lips", "mouth_side", "kissing", "high_smile", "mouth_up", "mouth_middle", "mouth_down",
    "blow_cheeks", "cheeks_in", "jaw", "lips_up",
)  # fmt: skip


def named_library(head: HeadModel) -> dict[str, Tensor]:
    """The named expressions and fifteen visemes of :mod:`smirk_core.heads.presets` for a head with ARKit's names.

    Returns:
        ``expression`` (T, E), ``jaw`` (T, 3) and ``eyelids`` (T, 2), for
        :class:`smirk_core.neural.augmentation.ArkitAugmentation`; without those that leave the face at rest.

    Raises:
        TakeError: the head's expressions have no ARKit names.
    """
    rows = [preset_groups(head, p) for p in PRESETS if any(p.weights.values())]
    names = ("expression", "jaw", "eyelids")
    return {n: torch.from_numpy(np.concatenate([row[n] for row in rows]).astype(np.float32)) for n in names}


def famos_templates(folder: str | os.PathLike[str], expressions: int = 50, each: int = 64) -> Tensor:
    """FLAME's recorded expressions, for :class:`smirk_core.neural.augmentation.FlameAugmentation`.

    Args:
        folder: ``expression_templates_famos`` with ``<subject>/<class>/*.npy``, each a pickled dictionary with an
            entry ``expression``; the classes of :data:`FAMOS_CLASSES` are read.
        expressions: how many coefficients to keep.
        each: frames taken of every subject and class, evenly spaced, some twice where there are fewer; so a row drawn
            at random is a random subject and class first, as in the original.

    Returns:
        (T, expressions) float32.

    Raises:
        AssetError: the folder holds no such files, or one is damaged or hostile.
    """
    root = Path(folder)
    groups = [path for path in sorted(root.glob("*/*")) if path.is_dir() and path.name in FAMOS_CLASSES]
    rows = []
    for group in groups:
        files = sorted(group.glob("*.npy"))
        if files:
            chosen = np.linspace(0, len(files) - 1, each).round().astype(int)
            known = {int(i): _expression(files[i], expressions) for i in np.unique(chosen)}
            rows += [known[int(i)] for i in chosen]
    if not rows:
        raise AssetError(f"{root} holds no expression templates (<subject>/<class>/*.npy, classes such as kissing).")
    return torch.from_numpy(np.stack(rows))


def _expression(path: Path, count: int) -> np.ndarray:
    value = load_npy(path)
    table = value.item() if value.shape == () and value.dtype.hasobject else None
    found = np.asarray(table.get("expression", ())) if isinstance(table, dict) else np.zeros(0)
    found = found.reshape(-1)
    if found.dtype.kind != "f" or len(found) < count or not np.isfinite(found[:count]).all():
        raise AssetError(f"{path} holds no expression of {count} coefficients.")
    return found[:count].astype(np.float32)
