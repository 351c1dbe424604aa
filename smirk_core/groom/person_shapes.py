# SPDX-License-Identifier: Apache-2.0
"""How heads differ by age, sex and ancestry, as identity coefficients of a head.

The shapes (``assets/person_shapes.npz``, built by :mod:`smirk_core.heads.build_person_shapes`) lie on the open head's
skin; the coefficients are the nearest ones in the least-squares sense.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..safe_npz import read_arrays

__all__ = ["PERSON_SHAPES_PATH", "person_directions"]

Floats = npt.NDArray[np.floating[Any]]
PERSON_SHAPES_PATH = Path(__file__).parent.parent / "assets" / "person_shapes.npz"
_NAMES = ("child", "old", "male", "african", "asian", "caucasian")
_directions: dict[tuple[str, Path], dict[str, Floats]] = {}


@lru_cache(maxsize=2)
def _shapes(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        shapes = read_arrays(path)
    except (OSError, ValueError) as error:
        raise AssetError(f"The shapes of people in {path} cannot be read ({error}).") from error
    missing = set(_NAMES) - set(shapes)
    if missing:
        raise AssetError(f"{path} is not a file of people's shapes: it has no {', '.join(sorted(missing))}.")
    return shapes


def person_directions(model: HeadModel, path: Path = PERSON_SHAPES_PATH) -> dict[str, Floats]:
    """Name -> (K,) coefficients to add; ``child`` and ``old`` are (2, K), female and male.

    Raises:
        AssetError: the head is not the open head, or the file is damaged.
    """
    key = (model.digest, path)
    if key not in _directions:
        shapes = _shapes(path)
        count = shapes["male"].shape[0]
        skin = model.regions.get("skin")
        if skin is None or not skin[:count].all() or skin.sum() != count:
            raise AssetError(f"The head '{model.name}' has another skin than the open head: it has no ages or types.")
        weight = np.ones(count)
        for name in ("sockets", "mouth_interior", "neck"):  # what is hardly seen may differ more
            weight[model.regions[name][:count]] = 0.4
        flat = (model.identity_basis[:, :count].astype(np.float64) * weight[:, None]).reshape(model.identity_size, -1)
        # A coefficient is a standard deviation: a little weight on their size keeps them plausible.
        inverse = np.linalg.inv(flat @ flat.T + 2e-6 * np.eye(len(flat))) @ flat
        solved = {}
        for name in _NAMES:
            target = (shapes[name].astype(np.float64) * weight[:, None]).reshape(-1, flat.shape[1])
            rows = target @ inverse.T
            solved[name] = rows if shapes[name].ndim == 3 else rows[0]
        _directions[key] = solved
    return _directions[key]
