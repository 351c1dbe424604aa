# SPDX-License-Identifier: Apache-2.0
"""Layer ``mirror``: the performance as in a mirror. No settings; applied twice it undoes itself.

Convention: x becomes -x. What left did, right does; a rotation vector (x, y, z) becomes (x, -y, -z), for a turn is
about an axis and an axis mirrors the other way round than a place; in the picture, pixel column u becomes
width - 1 - u. Worked number: a head turned (0, 0.5, 0) to its left turns (0, -0.5, 0) to its right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from .layer import Kind, Layer, Performance
from .regions import region_of_expression

__all__ = ["MIRROR", "mirror_order"]

Floats = npt.NDArray[np.floating[Any]]
_SIDES = (("Left", "Right"), ("Right", "Left"))


def _other_side(name: str) -> str:
    for side, other in _SIDES:
        if side in name:
            return name.replace(side, other)
    return name


def mirror_order(names: Sequence[str]) -> npt.NDArray[np.intp]:
    """(E,) for each expression the one that does the same on the other side.

    Raises:
        TakeError: the expressions have no names, or one has no counterpart.
    """
    if any(region_of_expression(n) is None for n in names):
        raise TakeError(
            "This take cannot be mirrored: the expressions of its head have no left and right. "
            "Mirroring works with heads whose expressions carry ARKit's names, such as the bundled one."
        )
    places = {n: i for i, n in enumerate(names)}
    missing = [n for n in names if _other_side(n) not in places]
    if missing:
        raise TakeError(
            f"This take cannot be mirrored: its head has '{missing[0]}', but not '{_other_side(missing[0])}'."
        )
    return np.array([places[_other_side(n)] for n in names], dtype=np.intp)


def _mirror(take: Performance, layer: Layer) -> dict[str, Floats]:
    result = dict(take.groups)
    if "expression" in result:
        result["expression"] = result["expression"][:, mirror_order(take.names)]
    if "eyelids" in result:
        result["eyelids"] = result["eyelids"][:, ::-1]
    for name in ("jaw", "rotation", "neck"):
        if name in result:
            result[name] = result[name] * np.array([1, -1, -1], dtype=result[name].dtype)
    if "eyes" in result:
        result["eyes"] = result["eyes"][:, [2, 3, 0, 1]] * np.array([1, -1, 1, -1], dtype=result["eyes"].dtype)
    if "camera" in result and take.width > 0:
        camera = result["camera"].copy()
        camera[:, 1] = take.width - 1 - camera[:, 1]
        result["camera"] = camera
    return result


MIRROR = Kind({}, lambda layer: layer, _mirror)
