# SPDX-License-Identifier: Apache-2.0
"""Which vertex of a head lies on the other side of the face."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from smirk_core.heads.head_model import HeadModel

__all__ = ["vertex_partners"]


def vertex_partners(model: HeadModel) -> npt.NDArray[np.integer[Any]]:
    """(V,) the vertex nearest to the mirror image of each vertex of the mean head."""
    mirrored = model.template * np.array([-1.0, 1.0, 1.0], np.float32)
    return np.asarray(KDTree(model.template).query(mirrored)[1], np.int64)
