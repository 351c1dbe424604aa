# SPDX-License-Identifier: Apache-2.0
"""Renders are round, while the viewport and exported files keep the head's own vertices."""

from __future__ import annotations

from pathlib import Path

import bpy
from toy import toy_head, toy_take

from blender_smirk import api
from blender_smirk.smooth import SMOOTH_MODIFIER, add_smoothing


def test_a_head_is_subdivided_when_rendered_and_not_in_the_viewport() -> None:
    model = toy_head()
    head = api.add_take(toy_take(model, 2), head=model)
    modifier = head.mesh.modifiers[SMOOTH_MODIFIER]
    assert next(iter(head.mesh.modifiers)).type == "ARMATURE"  # it rounds what the bones have bent
    shown = head.mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert len(shown.vertices) == len(model.template)
    modifier.levels = modifier.render_levels  # as a render has it
    bpy.context.view_layer.update()
    rendered = head.mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert len(rendered.polygons) == int((model.polygons >= 0).sum())  # one for each corner
    add_smoothing(head.mesh)
    assert sum(m.type == "SUBSURF" for m in head.mesh.modifiers) == 1


def test_usd_keeps_bones_and_keys_and_says_that_the_mesh_is_to_be_subdivided(tmp_path: Path) -> None:
    model = toy_head()
    api.add_take(toy_take(model, 2), head=model)
    words = api.save(tmp_path / "head.usda").read_text()
    assert 'subdivisionScheme = "catmullClark"' in words and "skel:skeleton" in words and 'BlendShape "' in words
