# SPDX-License-Identifier: Apache-2.0
"""Which of ARKit's 52 channels is meant by the name of a shape key.

Characters write the same channel in many ways: ``eyeBlinkLeft``, ``EyeBlinkLeft``, ``eyeBlink_L``, ``L_Eye_Blink``,
``blendShape1.eyeBlink_L``, ``Head_eyeBlinkLeft``. A name is cut into words at capitals, digits and signs; a word
``left``, ``l``, ``right`` or ``r`` at either end is its side, the rest, without signs and in small letters, its base.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..heads.parameters import ARKIT_NAMES

__all__ = ["KINDS", "Name", "channel_of", "parse", "part_of_bone"]

# How sure a match is, the surest first.
KINDS: tuple[str, ...] = ("exact", "case", "words", "prefix", "one side")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"left": "Left", "l": "Left", "right": "Right", "r": "Right"}


@dataclass(frozen=True)
class Name:
    """A name taken apart.

    Attributes:
        base: all words but the side, in small letters and without anything between them: ``eyeblink``.
        side: ``Left``, ``Right`` or "".
    """

    base: str
    side: str


def parse(name: str) -> Name:
    """Take a name apart: ``L_Eye_Blink`` is (eyeblink, Left), ``jawOpen`` is (jawopen, "")."""
    words = [w.lower() for w in _WORDS.findall(name)]
    if not words:
        return Name("", "")
    if len(words) > 1 and words[-1] in _SIDES:
        return Name("".join(words[:-1]), _SIDES[words[-1]])
    if len(words) > 1 and words[0] in _SIDES:
        return Name("".join(words[1:]), _SIDES[words[0]])
    base = "".join(words)
    for word, side in (("left", "Left"), ("right", "Right")):  # all in small letters: eyeblinkleft
        if base.endswith(word) and len(base) > len(word):
            return Name(base.removesuffix(word), side)
    return Name(base, "")


_EXACT = set(ARKIT_NAMES)
_CASE = {n.lower(): n for n in ARKIT_NAMES}
_PARSED = {parse(n): n for n in ARKIT_NAMES}
# Bases of which ARKit has a left and a right and nothing in the middle: eyeblink, but not jaw (jawOpen is another).
_PAIRS = {p.base: n.removesuffix("Left") for p, n in _PARSED.items() if p.side == "Left"}
_DIRECTIONS = ("jaw", "mouth")  # jawLeft is a direction, not the left half of something


def channel_of(name: str) -> tuple[tuple[str, ...], str]:
    """The channels that a shape key called ``name`` stands for, and how sure that is (one of :data:`KINDS`).

    Two channels are returned where one key serves both sides (``eyeBlink``), one where a channel of the middle is
    split into sides (``browInnerUp_L``); none, with kind "", where the name means nothing to us.
    """
    if name in _EXACT:
        return (name,), "exact"
    if name.lower() in _CASE:
        return (_CASE[name.lower()],), "case"
    if parse(name) in _PARSED:
        return (_PARSED[parse(name)],), "words"
    short = _one_letter(name)
    if short in _PARSED:
        return (_PARSED[short],), "words"
    # What stands before a sign may be the name of the mesh, of the deformer or a number of order.
    parts = re.split(r"[^A-Za-z]+", name)
    for first in range(1, len(parts)):
        rest = "_".join(parts[first:])
        if rest.lower() in _CASE:
            return (_CASE[rest.lower()],), "prefix"
        if parse(rest) in _PARSED:
            return (_PARSED[parse(rest)],), "prefix"
    both = parse(name)
    if not both.side and both.base in _PAIRS and both.base not in _DIRECTIONS:
        stem = _PAIRS[both.base]
        return (stem + "Left", stem + "Right"), "one side"
    if both.side and Name(both.base, "") in _PARSED:
        return (_PARSED[Name(both.base, "")],), "one side"
    return (), ""


def _one_letter(name: str) -> Name:
    """``eyeblinkl`` and ``EyeBlinkL``: a side of one letter without a sign before it."""
    side = {"l": "Left", "r": "Right"}.get(name[-1:].lower(), "")
    return Name(parse(name[:-1]).base, side) if side else Name("", "")


# Words that rigs put around the name of a bone and that say nothing about which it is.
_AROUND = {
    "adj", "b", "base", "bip", "bn", "bone", "c", "cc", "ctrl", "def", "face", "j", "jnt", "joint", "master",
    "mixamorig", "org", "root", "x",
}  # fmt: skip
_PARTS = {"head": "head", "jaw": "jaw", "lowerjaw": "jaw", "jawbone": "jaw", "eye": "eye", "eyeball": "eye"}


def part_of_bone(name: str) -> str:
    """``head``, ``jaw``, ``left_eye`` or ``right_eye`` for a bone called so in one of the usual ways, else "".

    ``mixamorig:LeftEye``, ``J_Adj_L_FaceEye`` and ``eye.L`` are the left eye; ``forehead`` is nothing.
    """
    words = [w.lower() for w in _WORDS.findall(name)]
    sides = [_SIDES[w] for w in words if w in _SIDES]
    part = _PARTS.get("".join(w for w in words if w not in _SIDES and w not in _AROUND), "")
    if part == "eye":
        return f"{sides[0].lower()}_eye" if len(sides) == 1 else ""
    return "" if sides else part
