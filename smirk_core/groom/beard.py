# SPDX-License-Identifier: Apache-2.0
"""Beards for the open head: stubble as a cap, longer ones with strips that hold on to jaw and lip."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from .cards import cap, grow_cards
from .roots import beard_height, sample_roots
from .wear import Wear, joined

__all__ = ["BEARDS", "BeardCut", "beard", "beard_cut"]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class BeardCut:
    """A beard.

    Attributes:
        part: see :func:`smirk_core.groom.roots.beard_height`.
        length: metres on the chin; a moustache is cut to the lip.
        count: strips; 0 for stubble alone.
        lift: how steeply hair leaves the skin; curl: metres of its waves.
        under: the look of the cap below: ``stubble`` or ``cap``, dense.
    """

    part: str = "full"
    length: float = 0.012
    count: int = 620
    lift: float = 0.6
    curl: float = 0.001
    under: str = "cap"
    seed: int = 2


BEARDS: MappingProxyType[str, BeardCut] = MappingProxyType({
    "stubble": BeardCut(count=0, under="stubble"),
    "short": BeardCut(length=0.009),
    "full": BeardCut(length=0.030, count=760, curl=0.002),
    "goatee": BeardCut("goatee", 0.016, 260),
    "moustache": BeardCut("moustache", 0.012, 120),
    "chin": BeardCut("chin", 0.022, 160),
})  # fmt: skip


def beard(name: str) -> BeardCut:
    """The beard called ``name``.

    Raises:
        AssetError: there is none.
    """
    if name not in BEARDS:
        raise AssetError(f"There is no beard '{name}'; there are {', '.join(BEARDS)}.")
    return BEARDS[name]


def beard_cut(model: HeadModel, cut: BeardCut) -> Wear:
    """Grow a beard on a head.

    Raises:
        AssetError: the head has no regions that say where its mouth is.
    """
    missing = {"skin", "ears", "lips", "mouth_interior", "sockets"} - set(model.regions)
    if missing:
        raise AssetError(f"The head '{model.name}' has no regions {', '.join(sorted(missing))}: no beard grows on it.")
    points = model.template.astype(np.float64)
    height = beard_height(model, points, cut.part)
    regions = model.regions
    allowed = regions["skin"] & ~regions["ears"] & ~regions["lips"] & ~regions["mouth_interior"] & ~regions["sockets"]
    allowed &= ~regions["nose"] | (height > 0)
    soft = 0.34 if cut.under == "stubble" else 0.12  # stubble alone thins out slowly towards the cheek
    parts = [cap(model, height, allowed, over=0.9e-3, soft=soft, material=cut.under, tile=0.02)]
    if cut.count:
        roots = sample_roots(model, allowed & (height > -0.02), np.clip(height / 0.07, 0, 1), cut.count, cut.seed)
        lips = model.template[regions["lips"]]
        seam = lips[:, 1].mean()
        above = np.clip((roots.points[:, 1] - seam) / 0.006, 0, 1) * (np.abs(roots.points[:, 0]) < 0.034)
        chin = np.clip((0.05 - np.abs(roots.points[:, 0])) / 0.03, 0, 1) * np.clip(
            (seam - roots.points[:, 1]) / 0.02, 0, 1
        )
        length = cut.length * (0.45 + 0.55 * chin)
        length = np.where(above > 0, np.minimum(0.011, np.maximum(0.006, cut.length)), length)
        length *= np.random.default_rng(cut.seed).uniform(0.75, 1.1, len(length))
        volume = np.minimum(0.35 * length, 0.006)

        def flow(where: Floats, _: Floats) -> Floats:
            lip = np.clip((where[:, 1] - seam) / 0.006, 0, 1) * (np.abs(where[:, 0]) < 0.034)
            across = np.tanh(where[:, 0] / 0.006) * lip * 1.1
            return np.stack([across, -1 + 0.35 * lip, 0.25 + 0 * lip], axis=1)

        parts.append(
            grow_cards(
                model,
                roots,
                flow,
                length,
                lift=cut.lift,
                volume=volume,
                weight=0.25,
                width=0.0055,
                curl=cut.curl,
                steps=3,
                seed=cut.seed,
            )
        )
    return joined(parts)
