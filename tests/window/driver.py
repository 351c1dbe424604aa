# SPDX-License-Identifier: Apache-2.0
"""Runs in a real Blender with a window: switches the add-on on, plays a scenario step by step, takes pictures.

    blender --factory-startup --python tests/window/driver.py -- SCENARIO OUTPUT [key=value …]

A scenario is a generator function of :mod:`scenarios`, or of another file here as ``FILE:SCENARIO``; it yields the
seconds that Blender may draw and react before the next step.
What it raises ends Blender with exit code 1, the traceback on standard error.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Generator
from importlib import import_module
from pathlib import Path

import bpy

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


def switch_on() -> None:
    """The add-on from the checkout, as Blender's add-on list would do it: preferences work too."""
    import addon_utils

    addon_utils.enable("blender_smirk", default_set=True)
    bpy.context.preferences.view.show_splash = False


def leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def play(steps: Generator[float, None, None]) -> None:
    """One step each time Blender has nothing else to do."""

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            leave(0)
        except BaseException:
            traceback.print_exc()
            leave(1)
        return None

    bpy.app.timers.register(step, first_interval=0.5, persistent=True)


def main() -> None:
    name, output, *settings = sys.argv[sys.argv.index("--") + 1 :]
    Path(output).mkdir(parents=True, exist_ok=True)
    try:
        switch_on()
        module, _, function = name.rpartition(":")
        scenario = getattr(import_module(module or "scenarios"), function)
        play(scenario(Path(output), **dict(s.split("=", 1) for s in settings)))
    except BaseException:
        traceback.print_exc()
        leave(1)


main()
