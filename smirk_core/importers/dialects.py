# SPDX-License-Identifier: Apache-2.0
"""How others call the numbers that move FLAME, as data: one table for each program.

All of them predict the same things: leading identity and expression coefficients, axis-angle rotations in radians in
FLAME's own frame, and SMIRK's crop camera. They differ in names, in lengths, and in what they pack together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import TakeError

__all__ = ["DIALECTS", "Dialect", "detect", "known_names", "make_dialect"]


@dataclass(frozen=True)
class Dialect:
    """The names of one program's results.

    Attributes:
        name: as given to ``--dialect``.
        title: for people.
        keys: what we call it -> what the program calls it, in order of preference. ``shape``, ``expression``, ``pose``
            (3: head; 6: head, jaw; 15: head, neck, jaw, left eye, right eye), ``jaw``, ``neck``, ``eyes`` (left and
            right rotation vector), ``eyelids`` (left, right), ``camera`` (scale, tx, ty of the 224 crop), ``tform``
            (3 x 3, frame to crop pixels).
    """

    name: str
    title: str
    keys: Mapping[str, tuple[str, ...]]

    def find(self, names: Iterable[str]) -> dict[str, str]:
        """What we call it -> the name in the file, for whatever is there."""
        there = set(names)
        found = {ours: next((k for k in theirs if k in there), "") for ours, theirs in self.keys.items()}
        return {ours: name for ours, name in found.items() if name}


_COMMON = {"camera": ("cam",), "tform": ("tform",)}
DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "smirk",
        "SMIRK",
        {
            "shape": ("shape_params",),
            "expression": ("expression_params",),
            "pose": ("pose_params",),
            "jaw": ("jaw_params",),
            "neck": ("neck_pose_params",),
            "eyes": ("eye_pose_params",),
            "eyelids": ("eyelid_params",),
            **_COMMON,
        },
    ),
    Dialect("emoca", "EMOCA", {"shape": ("shapecode",), "expression": ("expcode",), "pose": ("posecode",), **_COMMON}),
    Dialect("deca", "DECA", {"shape": ("shape",), "expression": ("exp",), "pose": ("pose",), **_COMMON}),
    Dialect(
        "emica",
        "INFERNO (EMICA)",
        {
            "shape": ("shapecode", "shape"),
            "expression": ("expcode", "exp"),
            "pose": ("globalpose", "global_pose"),
            "jaw": ("jawpose", "jaw_pose", "jaw"),
            "neck": ("neckpose", "neck_pose"),
            **_COMMON,
        },
    ),
)


def known_names() -> frozenset[str]:
    """Every name that some dialect knows."""
    return frozenset(name for d in DIALECTS for names in d.keys.values() for name in names)


def make_dialect(name: str) -> Dialect:
    """The dialect called ``name``.

    Raises:
        TakeError: there is none of that name.
    """
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    raise TakeError(f"Unknown dialect '{name}'; there are {', '.join(d.name for d in DIALECTS)}.")


def detect(names: Iterable[str], what: str) -> Dialect:
    """The dialect that explains most of ``names``; of two that explain as much, the first.

    Args:
        what: the file's name in messages.

    Raises:
        TakeError: nothing in there moves a face.
    """
    there = sorted(names)
    best = max(DIALECTS, key=lambda d: len(d.find(there)))
    if not best.find(there).keys() & {"expression", "pose", "jaw"}:
        shown = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
        hint = (
            " It holds a mesh or landmarks, from which no parameters are read."
            if {"verts", "vertices"} & set(there)
            else f" Say whose it is with --dialect {'|'.join(d.name for d in DIALECTS)}, or see docs/importing.md."
        )
        raise TakeError(
            f"{what} holds no parameters of SMIRK, DECA, EMOCA or INFERNO (found: {shown or 'nothing'}).{hint}"
        )
    return best
