# SPDX-License-Identifier: Apache-2.0
"""What a person does in Blender's window, as generators for :mod:`driver`. Each yields seconds to wait."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

TAB = 162  # pixels from the top of the sidebar to our tab, behind Item, Tool and View
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
    yield from show_tab()


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
    yield from click(region.x + region.width - 10, region.y + region.height - TAB)


def empty(output: Path) -> Steps:
    """The panels of a file without anything of ours."""
    yield from sidebar()
    screenshot(output / "empty.png")
