# SPDX-License-Identifier: Apache-2.0
"""The add-on's preferences in a real window: looked at, and the tracking process tested from there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
from scenarios import Steps, view

PACKAGE = "blender_smirk"


def _preferences() -> Any:
    return bpy.context.preferences.addons[PACKAGE].preferences


def _shown(output: Path, name: str) -> None:
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "PREFERENCES")
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screenshot(filepath=str(output / name), check_existing=False)


def look(output: Path, python: str) -> Steps:
    """Open them, test Blender's own Python, then the person's; Blender draws all the while."""
    window, area = view()
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    yield 0.5
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda a: a.width * a.height)
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "SMIRK"
    yield 1.0
    x, y = area.x + 189, area.y + area.height - 100  # the triangle of the only add-on that is listed
    for kind, value in (("MOUSEMOVE", "NOTHING"), ("LEFTMOUSE", "PRESS"), ("LEFTMOUSE", "RELEASE")):
        window.event_simulate(kind, value, x=x, y=y)
        yield 0.2
    yield 0.5
    _shown(output, "preferences_fresh.png")
    _preferences().python = python
    ticks = 0
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.smirk.test_engine("INVOKE_DEFAULT")
    yield 0.1
    assert not bpy.ops.smirk.test_engine.poll()  # one at a time
    end = time.monotonic() + 120
    while not _preferences().engine_report and time.monotonic() < end:
        ticks += 1
        yield 0.05
    assert ticks > 2, "Blender stood still during the test"
    assert '"problem": ""' in _preferences().engine_report, _preferences().engine_report
    _preferences().show_details = True
    yield 1.0
    _shown(output, "preferences_tested.png")
