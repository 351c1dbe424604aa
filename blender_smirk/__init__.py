# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK: heads animated from photos and videos. Registration only; the functions are in :mod:`blender_smirk.api`."""

from __future__ import annotations

__all__ = ["register", "unregister"]


def register() -> None:
    """Called by Blender when the extension is switched on."""


def unregister() -> None:
    """Called by Blender when the extension is switched off."""
