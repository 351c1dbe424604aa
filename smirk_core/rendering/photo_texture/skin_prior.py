# SPDX-License-Identifier: Apache-2.0
"""What skin is like where a photo does not show it: a mean and a few smooth modes of colour over the head.

The statistic (``assets/skin_prior.npz``) is made by ``training.data.skin_statistics`` from public-domain portraits
whose light was removed; it holds averages over hundreds of people at about 4,000 places and nobody's face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import AssetError
from ...safe_npz import read_arrays
from .surface import SkinSurface

__all__ = ["SKIN_PRIOR_PATH", "SkinPrior", "flat_prior", "skin_prior"]

Floats = npt.NDArray[np.floating[Any]]
SKIN_PRIOR_PATH = Path(__file__).parents[2] / "assets" / "skin_prior.npz"
_ROBUST = 0.25  # log units at which a difference begins to count less
_TONE = 1e-3  # ridge on the tone against that on a mode of unit deviation
_priors: dict[str, SkinPrior] = {}


@dataclass(frozen=True)
class SkinPrior:
    """Skin colours as logarithms of linear light at the vertices of one head.

    Attributes:
        mean: (V, 3); modes: (K, V, 3) per standard deviation.
    """

    mean: Floats
    modes: Floats

    def fit(self, colours: Floats, weight: Floats, *, ridge: float = 8.0, rounds: int = 4) -> Floats:
        """(V, 3) the likely skin of somebody of whom some colours are known.

        Method: least squares over a tone (an offset per channel) and the modes, each drawn towards 0, with weights
        that fall where a colour is unlike skin (Cauchy).

        Args:
            colours: (V, 3) logarithms; weight: (V,) trust, 0 where not known.
            ridge: strength of the modes' prior in vertices.
        """
        known = np.flatnonzero(weight > 1e-3)
        if not len(known):
            return self.mean.copy()
        seen, trust = colours[known] - self.mean[known], weight[known]
        # The tone first, robustly: hair may cover as much as skin.
        tone = np.array([_weighted_median(seen[:, c], trust) for c in range(3)])
        modes = self.modes[:, known]
        count = len(modes)
        columns = np.concatenate([np.broadcast_to(np.eye(3)[:, None], (3, len(known), 3)), modes])  # (3 + K, n, 3)
        left = columns.reshape(3 + count, -1)
        penalty = np.diag([_TONE] * 3 + [ridge] * count)
        x = np.concatenate([tone, np.zeros(count)])
        for _ in range(rounds):
            rest = seen - np.einsum("k,knc->nc", x, columns)
            w = trust / (1 + (rest**2).sum(axis=1) / (3 * _ROBUST**2))
            heavy = left * np.repeat(w, 3)
            x = np.linalg.solve(heavy @ left.T + penalty, heavy @ seen.ravel())
        return self.mean + x[:3] + np.einsum("k,kvc->vc", x[3:], self.modes)


def _weighted_median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def flat_prior(surface: SkinSurface) -> SkinPrior:
    """Skin of one colour, for heads that are none and for tests."""
    count = len(surface.skin)
    return SkinPrior(np.full((count, 3), -1.5), np.zeros((0, count, 3)))


@lru_cache(maxsize=1)
def _stored() -> tuple[Floats, Floats, Floats]:
    try:
        arrays = read_arrays(SKIN_PRIOR_PATH)
        places = arrays["places"].astype(np.float64)
        mean = arrays["mean"].astype(np.float64)
        modes = arrays["modes"] * (arrays["scale"].astype(np.float64)[:, None, None] / 127)
        if mean.shape != places.shape or modes.shape[1:] != mean.shape or not np.isfinite(mean).all():
            raise ValueError("its arrays do not fit together")
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(
            f"The statistic of skin colours {SKIN_PRIOR_PATH} cannot be read ({error}): reinstall."
        ) from error
    return places, mean, modes


def skin_prior(surface: SkinSurface) -> SkinPrior:
    """The statistic on the vertices of a head: each takes what is stored nearest to its place in the face.

    Raises:
        AssetError: the file is missing or damaged.
    """
    key = f"{surface.model.digest} {len(surface.skin)}"
    if key not in _priors:
        places, mean, modes = _stored()
        numbers = np.flatnonzero(surface.skin)
        wanted = surface.frame[numbers]
        nearest = np.empty(len(numbers), np.int64)
        square = (places**2).sum(axis=1)
        for begin in range(0, len(numbers), 256):
            nearest[begin : begin + 256] = (square - 2 * wanted[begin : begin + 256] @ places.T).argmin(axis=1)
        whole = np.broadcast_to(mean.mean(axis=0), (len(surface.skin), 3)).copy()
        whole[numbers] = mean[nearest]
        wide = np.zeros((len(modes), len(surface.skin), 3))
        wide[:, numbers] = modes[:, nearest]
        if len(_priors) >= 4:
            _priors.clear()
        _priors[key] = SkinPrior(whole, wide)
    return _priors[key]
