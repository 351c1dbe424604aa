# SPDX-License-Identifier: Apache-2.0
"""Takes, refinements and the scene as a person uses them, for :mod:`driver`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from scenarios import Steps, clear, context, press, screenshot, show_tab, sidebar, through_the_camera

TURN = 'OBJECT pose.bones["root"].rotation_quaternion 2'


def only(*panels: str) -> None:
    """Our panels but these go, so that a picture has room for them."""
    for name in [n for n in dir(bpy.types) if n.startswith("SMIRK_PT_")]:
        kind = getattr(bpy.types, name)
        if name not in panels and getattr(kind, "bl_parent_id", "") not in panels:
            bpy.utils.unregister_class(kind)


def refine(output: Path, take: str) -> Steps:
    """A take is read, calibrated, refined, undone; the panels show it."""
    clear()
    only("SMIRK_PT_takes", "SMIRK_PT_refine")
    yield from sidebar()
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.import_take("EXEC_DEFAULT", True, filepath=take) == {"FINISHED"}
    action: Any = bpy.data.actions[0]
    name = action.name
    through_the_camera()
    yield from show_tab()
    yield 1.0
    screenshot(output / "takes.png")
    bpy.context.scene.frame_set(12)
    action.smirk.smooth_mouth, action.smirk.gain_brows = 0.6, 1.4
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.set_neutral("INVOKE_DEFAULT", True) == {"FINISHED"}
        bpy.ops.smirk.add_lost_markers("EXEC_DEFAULT", True)
    yield 1.0
    screenshot(output / "refined.png")
    assert len(bpy.context.scene.timeline_markers) == 3
    action = bpy.data.actions[name]
    assert action.smirk.use_neutral
    yield from press("Z", ctrl=True)
    yield from press("Z", ctrl=True)
    action = bpy.data.actions[name]
    assert not action.smirk.use_neutral and not len(bpy.context.scene.timeline_markers), "one step each"
    yield from press("Z", ctrl=True, shift=True)
    assert bpy.data.actions[name].smirk.use_neutral


def edited(output: Path, take: str) -> Steps:
    """Curves that a hand has changed: *Apply* asks first, and what ENTER does harms nothing; so does deleting."""
    from blender_smirk.key_notes import curves_of, edited_curves

    clear()
    only("SMIRK_PT_takes", "SMIRK_PT_refine")
    yield from sidebar()
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.import_take("EXEC_DEFAULT", True, filepath=take)
    name = bpy.data.actions[0].name
    action: Any = bpy.data.actions[name]
    point = dict(curves_of(action))[TURN].keyframe_points[4]
    point.co[1] = 0.03
    action.smirk.gain_mouth = 0.5
    yield from show_tab()
    yield 0.5
    before = len(dict(curves_of(action)))
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.refine_take("INVOKE_DEFAULT", True) == {"RUNNING_MODAL"}
    yield 1.0
    screenshot(output / "edited.png")
    yield from press("RET")
    action = bpy.data.actions[name]
    assert len(dict(curves_of(action))) == before and edited_curves(action) == [TURN]
    assert abs(dict(curves_of(action))[TURN].keyframe_points[4].co[1] - 0.03) < 1e-6
    assert action.smirk.applied, "and the rest is refined"
    with bpy.context.temp_override(**context()):
        assert bpy.ops.smirk.delete_take("INVOKE_DEFAULT", True) <= {"INTERFACE", "RUNNING_MODAL"}
    yield 0.5
    assert name in bpy.data.actions
    yield from press("ESC")
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.duplicate_take("EXEC_DEFAULT", True)
        bpy.ops.smirk.push_take("EXEC_DEFAULT", True, take=name)
        bpy.ops.smirk.delete_take("EXEC_DEFAULT", True)
        bpy.ops.smirk.make_take_current("EXEC_DEFAULT", True, take=name)
    yield 0.5


def scene(output: Path, take: str) -> Steps:
    """The panel of camera, footage and rate."""
    clear()
    only("SMIRK_PT_takes", "SMIRK_PT_scene")
    panel: Any = bpy.types.SMIRK_PT_scene
    bpy.utils.unregister_class(panel)
    panel.bl_options = set()  # open, for the picture
    bpy.utils.register_class(panel)
    yield from sidebar()
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.import_take("EXEC_DEFAULT", True, filepath=take)
        assert bpy.ops.smirk.match_camera("EXEC_DEFAULT", True, view="PERSPECTIVE", lens=50.0) == {"FINISHED"}
    through_the_camera()
    yield from show_tab()
    yield 1.0
    screenshot(output / "scene.png")
