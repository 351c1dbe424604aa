# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the worker runs in."""

from __future__ import annotations

import os

import bpy

from . import preferences

__all__ = ["worker_python"]


def worker_python() -> str:
    """The Python named in SMIRK_PYTHON, the person's from the preferences, or "": Blender's own."""
    return os.environ.get("SMIRK_PYTHON", "") or bpy.path.abspath(preferences.get().python)
