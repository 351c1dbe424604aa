# SPDX-License-Identifier: Apache-2.0
"""The head by hand and a character, as a person uses them, for :mod:`driver`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from refine_scenarios import only
from scenarios import Steps, clear, context, press, screenshot, show_tab, sidebar, through_the_camera


def opened(*panels: str) -> None:
    """Open panels that are closed at first, for the picture."""
    for name in panels:
        panel: Any = getattr(bpy.types, name)
        bpy.utils.unregister_class(panel)
        panel.bl_options = set()
        bpy.utils.register_class(panel)


def head(output: Path, take: str) -> Steps:
    """Another expression, a gaze, a darker skin, another face; undone one by one."""
    clear()
    only("SMIRK_PT_head")
    parts = ("identity", "expression", "gaze", "look")
    for part in reversed(parts):
        bpy.utils.unregister_class(getattr(bpy.types, f"SMIRK_PT_head_{part}"))
    from blender_smirk.panels import head as panels

    for kind in panels.CLASSES:
        kind.bl_options = set()
    bpy.utils.unregister_class(panels.SMIRK_PT_head)
    for kind in panels.CLASSES:
        bpy.utils.register_class(kind)
    yield from sidebar()
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.import_take("EXEC_DEFAULT", True, filepath=take) == {"FINISHED"}
    through_the_camera()
    yield from show_tab()
    mesh: Any = next(o for o in bpy.data.objects if o.type == "MESH")
    name = mesh.name
    mesh.parent.smirk_head.preset = "laugh"
    with bpy.context.temp_override(**context()):
        run = "EXEC_DEFAULT"
        assert bpy.ops.smirk.identity_sliders(run, True, count=5) == {"FINISHED"}
        assert bpy.ops.smirk.apply_preset(run, True, preset="laugh", insert_keys=True) == {"FINISHED"}
        assert bpy.ops.smirk.set_gaze(run, True, kind="EMPTY") == {"FINISHED"}
    yield 1.5
    screenshot(output / "head.png")
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.random_face(run, True, seed=3) == {"FINISHED"}
    mesh = bpy.data.objects[name]
    stranger = mesh.data.shape_keys.key_blocks[0].data[0].co.copy()
    yield 0.5
    screenshot(output / "stranger.png")
    yield from press("Z", ctrl=True)
    mesh = bpy.data.objects[name]
    assert (mesh.data.shape_keys.key_blocks[0].data[0].co - stranger).length > 1e-5, "undone"
    assert any(o.name.endswith("gaze") for o in bpy.data.objects)
    yield from press("Z", ctrl=True)
    assert not any(o.name.endswith("gaze") for o in bpy.data.objects), "one step each"


def character(output: Path, take: str) -> Steps:
    """A mesh with keys of its own is matched and animated; the table is seen."""
    clear()
    only("SMIRK_PT_character", "SMIRK_PT_files")
    opened("SMIRK_PT_character", "SMIRK_PT_files")
    yield from sidebar()
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.import_take("EXEC_DEFAULT", True, filepath=take) == {"FINISHED"}
        bpy.ops.mesh.primitive_monkey_add()
    hero: Any = bpy.context.view_layer.objects.active
    hero.name = "Hero"
    hero.shape_key_add(name="Basis")
    for key in ("eyeBlink_L", "eyeBlink_R", "JawOpen", "mouthSmile", "browInnerUp", "Ears"):
        hero.shape_key_add(name=key)
    yield from show_tab()
    with bpy.context.temp_override(**context()):
        bpy.ops.ed.undo_push(message="Hero")
        assert bpy.ops.smirk.match_character("EXEC_DEFAULT", True) == {"FINISHED"}
    for area in bpy.context.window_manager.windows[0].screen.areas:
        area.tag_redraw()
    yield 1.0
    screenshot(output / "character.png")
    hero = bpy.data.objects["Hero"]
    assert len(hero.smirk_character.links) == 6
    with bpy.context.temp_override(**context()):
        bpy.context.view_layer.objects.active = hero
        assert bpy.ops.smirk.apply_character("EXEC_DEFAULT", True) == {"FINISHED"}
    assert hero.data.shape_keys.animation_data.action is not None
    yield from press("Z", ctrl=True)
    assert bpy.data.objects["Hero"].data.shape_keys.animation_data is None, "one step"
    yield from press("Z", ctrl=True)
    assert not len(bpy.data.objects["Hero"].smirk_character.links), "one step"
