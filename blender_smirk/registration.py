# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules bring classes, properties and handlers to Blender, and in which order.

Each module of :data:`MODULES` has a tuple ``CLASSES`` and, where it needs more than that, functions ``register`` and
``unregister``. Classes come before the module's ``register`` and go after its ``unregister``; modules leave in the
opposite order.
"""

from __future__ import annotations

import atexit
from importlib import import_module
from types import ModuleType
from typing import Any

import bpy

__all__ = ["MODULES", "register", "unregister"]

MODULES: tuple[str, ...] = (
    "preferences",
    "operators.setup",
    "properties.capture",
    "operators.capture",
    "operators.media",
    "panels.capture",
    "properties.takes",
    "operators.takes",
    "operators.refine",
    "operators.scene",
    "panels.takes",
    "panels.refine",
    "panels.scene",
    "properties.character",
    "operators.character",
    "panels.character",
    "properties.head",
    "operators.head",
    "operators.texture",
    "panels.head",
    "properties.skin",
    "operators.skin",
    "panels.skin",
    "operators.groom",
    "panels.groom",
    "operators.detail",
    "panels.detail",
    "operators.files",
    "panels.files",
)

_registered: list[tuple[ModuleType, list[Any]]] = []


def register() -> None:
    """Bring everything in; where one module fails, what came before it leaves again."""
    if getattr(bpy.app, "module", False):
        # Blender as a Python module hangs at the end of a script that leaves classes registered (seen with 4.5).
        atexit.unregister(unregister)
        atexit.register(unregister)
    try:
        for name in MODULES:
            module = import_module(f".{name}", __package__)
            classes: list[Any] = []
            _registered.append((module, classes))
            for cls in getattr(module, "CLASSES", ()):
                bpy.utils.register_class(cls)
                classes.append(cls)
            start = getattr(module, "register", None)
            if start is not None:
                start()
    except Exception:
        unregister()
        raise


def unregister() -> None:
    """Take everything out again, last in first out; one that fails does not keep the others."""
    failure: Exception | None = None
    while _registered:
        module, classes = _registered.pop()
        steps = [getattr(module, "unregister", None)]
        steps += [lambda cls=cls: bpy.utils.unregister_class(cls) for cls in reversed(classes)]
        for step in filter(None, steps):
            try:
                step()
            except Exception as error:
                failure = failure or error
    if failure is not None:
        raise failure
