# SPDX-License-Identifier: Apache-2.0
"""SMIRK's engine: photos and videos of faces to the parameters of a 3D head. No Blender in here.

The three names below are the public face; everything else is reached through its module. Nothing heavy is imported
before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Take", "__version__", "load_head", "track"]
__version__ = "0.1.0"

if TYPE_CHECKING:
    from .heads.library import load_head
    from .take import Take
    from .tracking.tracker import track

_HOMES = {"Take": ".take", "load_head": ".heads.library", "track": ".tracking.tracker"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __name__), name)
