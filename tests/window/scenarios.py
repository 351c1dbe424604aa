# SPDX-License-Identifier: Apache-2.0
"""What a person does in Blender's window, as generators for :mod:`driver`. Each yields seconds to wait."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

TAB = 118  # pixels from the top of the sidebar to our tab, behind Tool and View
HEADER = 28  # height of a panel's header
ITEM = 44  # height of the tab Item, which is there while an object is active
Steps = Generator[float, None, None]


def view() -> tuple[Any, Any]:
    """The window and its largest 3D view."""
    window = bpy.context.window_manager.windows[0]
    areas = [a for a in window.screen.areas if a.type == "VIEW_3D"]
    return window, max(areas, key=lambda a: a.width * a.height)


def context() -> dict[str, Any]:
    """Overrides for operators that need a 3D view."""
    window, area = view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    return {"window": window, "screen": window.screen, "area": area, "region": region}


def screenshot(path: Path) -> None:
    """The whole window as PNG."""
    window, area = view()
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screenshot(filepath=str(path), check_existing=False)
    if not path.is_file():
        raise AssertionError(f"Blender took no picture {path}")


def sidebar() -> Steps:
    """Maximise the 3D view and show our sidebar tab."""
    with bpy.context.temp_override(**context()):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    yield 0.5
    _, area = view()
    area.spaces[0].show_region_ui = True
    yield 0.5
    yield from widen()
    yield from show_tab()


def drag(start: tuple[int, int], end: tuple[int, int]) -> Steps:
    """Press at one place of the window and let go at another."""
    window, _ = view()
    window.event_simulate("MOUSEMOVE", "NOTHING", x=start[0], y=start[1])
    yield 0.2
    window.event_simulate("LEFTMOUSE", "PRESS", x=start[0], y=start[1])
    for share in (0.3, 0.6, 1.0):
        x, y = (round(a + share * (b - a)) for a, b in zip(start, end, strict=True))
        window.event_simulate("MOUSEMOVE", "NOTHING", x=x, y=y)
        yield 0.1
    window.event_simulate("LEFTMOUSE", "RELEASE", x=end[0], y=end[1])
    yield 0.3


def widen(by: int = 150) -> Steps:
    """Drag the sidebar's edge, so that words fit on a picture."""
    _, area = view()
    region = next(r for r in area.regions if r.type == "UI")
    y = region.y + region.height // 4
    yield from drag((region.x - 3, y), (region.x - 3 - by, y))


def click(x: int, y: int) -> Steps:
    """A left click at window coordinates, origin at the lower left, by real events (``--enable-event-simulate``)."""
    window, _ = view()
    window.event_simulate("MOUSEMOVE", "NOTHING", x=x, y=y)
    yield 0.1
    window.event_simulate("LEFTMOUSE", "PRESS", x=x, y=y)
    yield 0.1
    window.event_simulate("LEFTMOUSE", "RELEASE", x=x, y=y)
    yield 0.3


def press(key: str, **modifiers: bool) -> Steps:
    """A key, pressed and let go with the mouse over the 3D view."""
    window, area = view()
    x, y = area.x + area.width // 3, area.y + area.height // 2
    window.event_simulate("MOUSEMOVE", "NOTHING", x=x, y=y)
    yield 0.1
    window.event_simulate(key, "PRESS", x=x, y=y, **modifiers)
    yield 0.1
    window.event_simulate(key, "RELEASE", x=x, y=y, **modifiers)
    yield 0.3


def show_tab() -> Steps:
    """Click our tab, the last one of the sidebar."""
    _, area = view()
    region = next(r for r in area.regions if r.type == "UI")
    tab = TAB + (ITEM if bpy.context.view_layer.objects.active else 0)
    yield from click(region.x + region.width - 10, region.y + region.height - tab)


def wait_for(job: Any, seconds: float = 120.0) -> Steps:
    """Until a capture has ended."""
    waited = 0.0
    while job.running and waited < seconds:
        waited += 0.2
        yield 0.2
    assert not job.running, f"still at it after {seconds} s: {job.stage}"


def start_capture(media: str, **settings: Any) -> Steps:
    """Fill in the panel and press its button."""
    capture = bpy.context.scene.smirk_capture
    capture.media = media
    for name, value in settings.items():
        setattr(capture, name, value)
    yield 2.0  # the file is looked at
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.capture("INVOKE_DEFAULT")
    yield 0.2


def heads() -> list[str]:
    """Names of the armatures in the file."""
    return sorted(o.name for o in bpy.data.objects if o.type == "ARMATURE")


def clear() -> None:
    """An empty scene, with the add-on as it is."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    bpy.ops.outliner.orphans_purge(do_recursive=True)


def through_the_camera(*, materials: bool = False) -> None:
    """Look through the scene's camera; without a graphics card materials take half a minute to compile."""
    _, area = view()
    area.spaces[0].region_3d.view_perspective = "CAMERA"
    area.spaces[0].shading.type = "MATERIAL" if materials else "SOLID"


def empty(output: Path) -> Steps:
    """The panels of a file without anything of ours."""
    yield from sidebar()
    screenshot(output / "empty.png")


def capture(output: Path, media: str) -> Steps:
    """A capture from the button to the head, undone and redone."""
    clear()
    yield from sidebar()
    job = bpy.context.window_manager.smirk_job
    yield from start_capture(media)
    assert job.running, job.message
    waited = 0.0
    while job.running and job.fraction < 0.3 and waited < 60:
        waited += 0.1
        yield 0.1
    screenshot(output / "capturing.png")
    yield from wait_for(job)
    assert not job.failed and len(heads()) == 1, (job.message, heads())
    through_the_camera()
    bpy.context.scene.frame_set(20)
    yield from show_tab()
    yield 1.0
    screenshot(output / "captured.png")
    yield from press("Z", ctrl=True)
    yield 0.5
    assert heads() == [], "one undo takes the whole capture away"
    yield from press("Z", ctrl=True, shift=True)
    yield 0.5
    assert len(heads()) == 1, "and redo brings it back"


def header(number: int) -> Steps:
    """A click on the header of our panel ``number``, while all panels above it are closed."""
    _, area = view()
    region = next(r for r in area.regions if r.type == "UI")
    yield from click(region.x + 60, region.y + region.height - HEADER // 2 - number * HEADER)
    yield 0.5


def panels(output: Path, media: str) -> Steps:
    """Every panel of its own, after a capture."""
    clear()
    yield from sidebar()
    job = bpy.context.window_manager.smirk_job
    yield from start_capture(media)
    yield from wait_for(job)
    assert not job.failed, job.message
    through_the_camera()
    bpy.context.scene.frame_set(20)
    yield from show_tab()
    for number in range(3):  # the three that are open close
        yield from header(number)
    for number, name in enumerate(("capture", "takes", "refine", "head", "scene", "character", "files")):
        yield from header(number)
        screenshot(output / f"panel_{name}.png")
        yield from header(number)


def close_panels() -> Steps:
    """Close the panels that are open from the start."""
    for number in range(3):
        yield from header(number)


def tutorial(output: Path, media: str, materials: str = "") -> Steps:
    """The pictures of docs/tutorial.md, step by step as written there; ``materials``: with skin, which takes long."""
    clear()
    yield from sidebar()
    bpy.context.scene.smirk_capture.media = media
    yield 6.0  # the file is looked at
    screenshot(output / "1_choose.png")
    job = bpy.context.window_manager.smirk_job
    yield from start_capture(media)
    waited = 0.0
    while job.running and job.fraction < 0.15 and waited < 60:
        waited += 0.1
        yield 0.1
    yield 0.5
    screenshot(output / "2_capture.png")
    yield from wait_for(job)
    assert not job.failed, job.message
    through_the_camera(materials=bool(materials))
    overlay = view()[1].spaces[0].overlay
    for name in ("bones", "relationship_lines", "extras", "outline_selected", "cursor", "object_origins"):
        setattr(overlay, f"show_{name}", False)
    bpy.context.scene.frame_set(62)
    yield from show_tab()
    yield 40.0 if materials else 1.0
    screenshot(output / "3_captured.png")
    yield from close_panels()
    yield from header(2)
    refine = bpy.context.view_layer.objects.active.animation_data.action.smirk
    refine.smooth_mouth, refine.smooth_brows = 0.5, 0.8
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.refine_take()
    yield 1.0
    screenshot(output / "4_refine.png")
    yield from header(2)
    yield from header(3)
    yield from click_sub_panel(3, 1)
    yield 2.0
    screenshot(output / "5_expressions.png")
    yield from click_sub_panel(3, 1)
    yield from header(3)
    yield from header(6)
    screenshot(output / "6_files.png")


def click_sub_panel(number: int, sub: int) -> Steps:
    """Open or close the sub-panel ``sub`` of panel ``number`` with a one-line body, all others closed."""
    _, area = view()
    region = next(r for r in area.regions if r.type == "UI")
    top = region.y + region.height - (number + 1) * HEADER
    yield from click(region.x + 70, top - 46 - sub * 26)
