# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh attributes that the skin's material reads: soft masks, and the rest shape in metres."""

from __future__ import annotations

import bpy
import numpy as np

from smirk_core.errors import SmirkError
from smirk_core.heads.head_model import HeadModel
from smirk_core.skin.areas import skin_areas

__all__ = ["REST", "SKIN_PAINT", "add_skin_paint"]

SKIN_PAINT = "smirk_skin"  # colour attribute: red dark sockets and creases, green oil and pores, blue beard, alpha sun
REST = "smirk_rest"  # vector attribute: the template in metres, so that textures stay in place when the face moves


def add_skin_paint(mesh: bpy.types.Object, model: HeadModel) -> None:
    """Write both attributes to the vertices of ``mesh``, built from ``model``; masks are 0 on heads without eyes."""
    count = len(model.template)
    paint = np.zeros((count, 4), np.float32)
    try:
        areas = skin_areas(model)
    except SmirkError:
        areas = None  # a head without eyes: nothing says where its cheeks are
    if areas is not None:
        dark = np.maximum(areas["socket"], 0.6 * areas["crease"])
        paint = np.stack([dark, areas["tzone"], areas["beard"], areas["sun"]], axis=1).astype(np.float32)
    layer = mesh.data.attributes.new(SKIN_PAINT, "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", paint.ravel())
    rest = mesh.data.attributes.new(REST, "FLOAT_VECTOR", "POINT")
    rest.data.foreach_set("vector", np.asarray(model.template, np.float32).ravel())
