# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, lips, eyes, teeth: node materials for the material slots of a head."""

from __future__ import annotations

import bpy

from smirk_core.heads.head_model import HeadModel

__all__ = ["add_materials"]


def add_materials(mesh: bpy.types.Object, model: HeadModel) -> None:
    """Fill the mesh's slots with one material per name of ``model.material_names``, in order."""
    for name in model.material_names:
        mesh.data.materials.append(bpy.data.materials.new(f"{mesh.name} {name}"))
