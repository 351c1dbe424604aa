# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys with the right place and the right slider."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

__all__ = ["SLIDER_LIMIT", "add_key", "from_blender", "to_blender", "widen_slider"]

Floats = npt.NDArray[np.floating[Any]]
SLIDER_LIMIT = 10.0  # Blender's hard limit of a shape key's range


def to_blender(points: Floats) -> Floats:
    """(..., 3) head space to Blender's axes: (x, y, z) -> (x, -z, y)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def from_blender(points: Floats) -> Floats:
    """(..., 3) Blender's axes to head space: (x, y, z) -> (x, z, -y)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def add_key(mesh: bpy.types.Object, name: str, vertices: Floats, low: float, high: float) -> bpy.types.ShapeKey:
    """Add a shape key at (V, 3) head-space ``vertices``, with a slider from ``low`` to ``high`` that stands at 0."""
    key = mesh.shape_key_add(name=name, from_mix=False)
    key.data.foreach_set("co", np.float32(to_blender(vertices)).ravel())
    key.slider_min, key.slider_max = low, high
    key.value = 0.0
    return key


def widen_slider(key: bpy.types.ShapeKey, low: float, high: float) -> None:
    """Let a key reach ``low``..``high``: Blender clamps values, animated ones too, to the slider's range."""
    if low < key.slider_min:
        key.slider_min = max(-SLIDER_LIMIT, low)
    if high > key.slider_max:
        key.slider_max = min(SLIDER_LIMIT, high)
