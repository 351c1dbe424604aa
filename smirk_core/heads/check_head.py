# SPDX-License-Identifier: Apache-2.0
"""Whether the arrays of a head fit each other: asked once where a head is read, so that nobody has to ask later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .head_model import HeadModel

__all__ = ["check_head"]

_FAR = 1e6  # metres and anything else
_JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")


def check_head(model: HeadModel) -> None:
    """Shapes, index ranges, finite values and names of a head that comes from a file.

    Raises:
        ValueError: the first thing that does not fit, in words.
    """
    vertices, polygons, uvs = len(model.template), len(model.polygons), len(model.uvs)
    expressions, joints = len(model.expression_names), len(model.joint_names)
    if tuple(model.joint_names) != _JOINTS or len(model.joint_parents) != joints:
        raise ValueError(f"its joints must be {', '.join(_JOINTS)}")
    if tuple(model.joint_parents) != (-1, 0, 1, 1, 1):
        raise ValueError("its joints are not linked as root, neck, then jaw and eyes")
    if min(vertices, polygons) < 1 or max(vertices, polygons, uvs) >= 1 << 24:
        raise ValueError(f"it has {vertices} vertices and {polygons} polygons")
    shapes: dict[str, tuple[int | None, ...]] = {
        "template": (vertices, 3),
        "polygons": (polygons, 4),
        "identity_basis": (None, vertices, 3),
        "expression_basis": (expressions, vertices, 3),
        "eyelid_basis": (2, vertices, 3),
        "corrective_basis": (len(model.corrective_features), vertices, 3),
        "corrective_features": (None,),
        "joint_regressor": (joints, vertices),
        "skinning_weights": (vertices, joints),
        "uvs": (uvs, 2),
        "polygon_uvs": (polygons, 4),
        "polygon_materials": (polygons,),
    }
    for name, shape in shapes.items():
        _check_array(name, getattr(model, name), shape)
    _check_indices("polygons", model.polygons[:, :3], 0, vertices)
    _check_indices("polygons", model.polygons[:, 3], -1, vertices)
    _check_indices("polygon_uvs", model.polygon_uvs[:, :3], 0, uvs)
    _check_indices("polygon_uvs", model.polygon_uvs[:, 3], -1, uvs)
    _check_indices("polygon_materials", model.polygon_materials, 0, len(model.material_names))
    _check_indices("corrective_features", model.corrective_features, 0, 9 * (joints - 1) + 4)
    triangles = len(model.triangles)
    for name, embedding in model.landmarks.items():
        size = len(embedding.triangles)
        _check_array(f"landmarks {name}", embedding.triangles, (size,))
        _check_array(f"landmarks {name}", embedding.barycentric, (size, 3))
        _check_array(f"landmarks {name}", embedding.weight, (size,))
        _check_indices(f"landmarks {name}", embedding.triangles, 0, triangles)
    for name, region in model.regions.items():
        if region.shape != (vertices,) or region.dtype != np.bool_:
            raise ValueError(f"its region {name} is not a mask of {vertices} vertices")
    for name, angle in model.angles.items():
        if not isinstance(angle, int | float) or not math.isfinite(angle):
            raise ValueError(f"its angle {name} is not a number")


def _check_array(name: str, array: npt.NDArray[Any], shape: tuple[int | None, ...]) -> None:
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"its {name} has the shape {array.shape}, not ({wanted})")
    if array.dtype.kind == "f" and not (np.abs(array) < _FAR).all():  # NaN is not less either
        raise ValueError(f"its {name} holds values that are not finite, or that no head has")


def _check_indices(name: str, indices: npt.NDArray[Any], low: int, end: int) -> None:
    if indices.size and not (indices.min() >= low and indices.max() < end):
        raise ValueError(f"its {name} point at what is not there")
