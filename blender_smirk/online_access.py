# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the person lets Blender, and so the add-on, use the network."""

from __future__ import annotations

import bpy

from .texts import preferences as words

__all__ = ["allowed", "reason"]


def allowed() -> bool:
    """Blender's setting; there was none before 4.2."""
    return bool(getattr(bpy.app, "online_access", True))


def reason() -> str:
    """Why it is not allowed, and what to do."""
    return words.OFFLINE_FORCED if getattr(bpy.app, "online_access_override", False) else words.OFFLINE
