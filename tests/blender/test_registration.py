# SPDX-License-Identifier: Apache-2.0
"""Switching the add-on on and off: everything comes and everything goes."""

from __future__ import annotations

import bpy
import pytest

import blender_smirk
from blender_smirk import registration

OWN = ("SMIRK_OT_", "SMIRK_PT_", "SMIRK_PG_", "SMIRK_UL_", "SMIRK_FH_", "SMIRK_MT_")
_UNLISTED = (bpy.types.PropertyGroup, bpy.types.AddonPreferences)


def ours() -> set[str]:
    """Names of our classes, and of properties that hang on Blender's own types."""
    found = {name for name in dir(bpy.types) if name.startswith(OWN)}
    for kind in (bpy.types.Scene, bpy.types.WindowManager, bpy.types.Action, bpy.types.Object):
        found |= {f"{kind.__name__}.{name}" for name, _ in kind.bl_rna.properties.items() if name.startswith("smirk")}
    return found


@pytest.fixture
def switched_off():
    if registration._registered:
        blender_smirk.unregister()
    yield
    if registration._registered:
        blender_smirk.unregister()


def test_what_comes_goes_again(switched_off):
    before = ours()
    for _ in range(2):
        blender_smirk.register()
        classes = [c for _, registered in registration._registered for c in registered]
        assert all(c.is_registered for c in classes)
        # Blender lists every kind of class but these two
        assert {c.__name__ for c in classes if not issubclass(c, _UNLISTED)} <= ours()
        blender_smirk.unregister()
        assert ours() == before


def test_a_module_that_fails_leaves_nothing_behind(switched_off, monkeypatch):
    before = ours()
    monkeypatch.setattr(registration, "MODULES", (*registration.MODULES, "no_such_module"))
    with pytest.raises(ImportError):
        blender_smirk.register()
    assert ours() == before and not registration._registered
