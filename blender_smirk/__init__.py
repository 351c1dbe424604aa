# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK: heads animated from photos and videos.

Registration only; everything that a button does is a function in :mod:`blender_smirk.api`. Importing this package
loads nothing else, so that a script may use the functions without any buttons.
"""

from __future__ import annotations

__all__ = ["register", "unregister"]

# Extensions are described by blender_manifest.toml; this is for a Blender older than 4.2.
bl_info = {
    "name": "SMIRK Face Capture",
    "author": "SMIRK contributors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Smirk",
    "description": "Heads animated from photos and videos",
    "category": "Animation",
}


def register() -> None:
    """Called by Blender when the extension is switched on."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off."""
    from . import registration

    registration.unregister()
