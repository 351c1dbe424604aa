# SPDX-License-Identifier: Apache-2.0
"""Procedural skin: a look in a few numbers, painted into the texture maps of a head."""

from .look import PRESETS, Makeup, SkinLook, random_look
from .maps import SCATTER_RADIUS, SkinMaps, mean_colour, skin_maps

__all__ = ["PRESETS", "SCATTER_RADIUS", "Makeup", "SkinLook", "SkinMaps", "mean_colour", "random_look", "skin_maps"]
