# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action knows about its keys: where and how the take was keyed, and whether a hand has changed them since.

The note is a custom property of the action, so that it is copied, saved and undone together with the keys.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import bpy
import numpy as np

from smirk_core.errors import TakeError

__all__ = [
    "KEYINGS",
    "KeyNote",
    "Keying",
    "copy_parts",
    "curves_of",
    "edited_curves",
    "key_bags",
    "note_keys",
    "note_of",
    "parts_of",
]

NOTE_PROPERTY = "smirk_keys"
KEYINGS = ("TRACKED", "EVERY", "REDUCED")
_PART = "smirk_part_"  # custom property of an action without slots, as in actions.py


@dataclass(frozen=True)
class Keying:
    """Where a take gets its keys.

    Attributes:
        kind: "TRACKED", where the footage has a frame; "EVERY", on every whole frame of the scene; "REDUCED", as few
            as keep all curves within ``error``.
        error: largest deviation of "REDUCED": of weights as such, of rotations in radians, of the head's place in
            units of 0.1 m.
    """

    kind: str = "TRACKED"
    error: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in KEYINGS:
            raise TakeError(f"Keys are one of {', '.join(KEYINGS)}, not '{self.kind}'.")
        if not self.error > 0:
            raise TakeError(f"The error of reduced keys must be above 0, not {self.error}.")


@dataclass(frozen=True)
class KeyNote:
    """How the keys of a take were written.

    Attributes:
        rate: scene frames per second.
        start: scene frame of the take's beginning.
        view: focal length in pixels and distance in metres of the perspective camera; None without cameras.
        raw: whether the raw take is keyed.
        keys: "TRACKED", "EVERY" or "REDUCED" (:class:`Keying`).
        error: bound of "REDUCED".
    """

    rate: float
    start: float
    view: tuple[float, float] | None = None
    raw: bool = False
    keys: str = "TRACKED"
    error: float = 0.01


def key_bags(action: bpy.types.Action) -> dict[str, bpy.types.ActionChannelbag]:
    """The curves of an action by the kind of data-block that plays them; the first slot of a kind counts."""
    bags: dict[str, bpy.types.ActionChannelbag] = {}
    if bpy.app.version < (4, 4):  # without slots: an action for each block, which holds its curves itself
        old: Any = action
        return {old.id_root: old} | parts_of(action)
    by_slot = {b.slot_handle: b for layer in action.layers for s in layer.strips for b in s.channelbags}
    for slot in action.slots:
        if slot.handle in by_slot:
            bags.setdefault(slot.target_id_type, by_slot[slot.handle])
    return bags


def parts_of(action: bpy.types.Action) -> dict[str, Any]:
    """The actions of the other data-blocks of a take, in a Blender without slots (before 4.4); else none."""
    if bpy.app.version >= (4, 4):
        return {}
    return {k.removeprefix(_PART): v for k, v in action.items() if k.startswith(_PART) and v is not None}


def copy_parts(action: bpy.types.Action) -> None:
    """Give a copied take parts of its own, where it has any."""
    for kind, part in parts_of(action).items():
        own = part.copy()
        own.use_fake_user = True
        action[_PART + kind] = own


def curves_of(action: bpy.types.Action) -> Iterator[tuple[str, bpy.types.FCurve]]:
    """All curves with a name that says what they move, such as ``KEY key_blocks["jawForward"].value 0``."""
    for kind, bag in key_bags(action).items():
        for curve in bag.fcurves:
            yield f"{kind} {curve.data_path} {curve.array_index}", curve


def note_keys(action: bpy.types.Action, note: KeyNote, edited: Collection[str] = ()) -> None:
    """Remember how the keys of an action were written, and what they are now.

    Curves named in ``edited`` were left as a hand had made them, and go on counting as edited.
    """
    before = (_read(action) or {}).get("curves", {})
    prints = {name: _print(curve) for name, curve in curves_of(action) if name not in edited}
    prints |= {name: before[name] for name in edited if name in before}
    action[NOTE_PROPERTY] = json.dumps(asdict(note) | {"curves": prints})


def note_of(action: bpy.types.Action) -> KeyNote | None:
    """The note of an action, None where there is none that can be read."""
    values = _read(action)
    if values is None:
        return None
    view = values.get("view")
    try:
        return KeyNote(
            float(values["rate"]),
            float(values["start"]),
            None if view is None else (float(view[0]), float(view[1])),
            bool(values.get("raw", False)),
            str(values.get("keys", "TRACKED")),
            float(values.get("error", 0.01)),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def edited_curves(action: bpy.types.Action) -> list[str]:
    """Names (:func:`curves_of`) of the curves that were changed or removed since the take was keyed."""
    values = _read(action)
    prints = None if values is None else values.get("curves")
    if not isinstance(prints, dict):
        return []
    now = dict(curves_of(action))
    return [name for name, mark in prints.items() if name not in now or _print(now[name]) != mark]


def _read(action: bpy.types.Action) -> dict[str, Any] | None:
    try:
        values = json.loads(action.get(NOTE_PROPERTY, "null"))
    except (TypeError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _print(curve: bpy.types.FCurve) -> int:
    """A fingerprint of the keys of a curve: where they are and how they are joined."""
    points = curve.keyframe_points
    places = np.empty(2 * len(points), dtype=np.float32)
    joins = np.empty(len(points), dtype=np.int32)
    points.foreach_get("co", places)
    points.foreach_get("interpolation", joins)
    return zlib.crc32(joins.tobytes(), zlib.crc32(places.tobytes()))
