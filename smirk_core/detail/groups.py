# SPDX-License-Identifier: Apache-2.0
"""The wrinkles of a face as data: where each group runs, how deep it is, and which curves fold it.

Directions follow the muscles: a wrinkle lies across the pull of the muscle under it (frontalis pulls up, so the
forehead folds across; corrugator pulls the brow inwards, so the frown stands upright; orbicularis closes like a
purse, so crow's feet and the lips' lines are spokes). Depths are those of a grown-up in the full expression,
0.2 to 1.2 mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .strokes import Fan, Folds, Pits, Profile

__all__ = ["GROUPS", "GROUP_NAMES", "Group", "group_index"]


@dataclass(frozen=True)
class Group:
    """Wrinkles that come and go together.

    Attributes:
        name: with ``_left`` or ``_right`` where there is one on each side.
        label: for people.
        side: +1 left or across the middle, -1 the right one, a mirror image, 0 both at once.
        strokes: what is drawn.
        window: (from, to) millimetres of |x| over which the group fades in (or, where from > to, out).
        law: curve -> how far it folds the group at full weight.
        resting: curves that smooth the group while they act: their weight is taken away.
        static: 0..1, how much of the group stays in a resting face at old age.
    """

    name: str
    label: str
    side: float
    strokes: tuple[Folds | Fan | Pits, ...]
    law: Mapping[str, float]
    static: float
    window: tuple[float, float] | None = None
    resting: Mapping[str, float] = field(default_factory=dict)


_FOREHEAD = Folds(
    low=((9, 0, 9.5), (336, 2, 9.5), (296, 0, 10.5), (334, 0, 10.5), (300, 0, 12)),
    high=((10, 0, -1), (338, 0, -1), (297, 0, -3), (332, -2, -6), (284, -4, -7)),
    count=4, profile=Profile(0.62, 0.95, 0.5, 3.5), minor=3, fade=(0.25, 0.25), cut=0.12, wobble=0.75, fork=0.4,
    whole=True,
)  # fmt: skip
_FROWN = (
    Folds(((285, -5.2, 9.5), (285, -5.8, 3), (285, -6.2, -4)), ((285, -5.2, 9.5), (285, -5.8, 3), (285, -6.2, -4)),
          1, Profile(1.0, 0.95, 0.7, 3.4, 0.35), fade=(0.45, 0.35), cut=0.05, wobble=0.35),
    Folds(((285, 0.5, 10), (285, -1.0, 5.5), (285, -3.5, 1.5)), ((285, 0.5, 10), (285, -1.0, 5.5), (285, -3.5, 1.5)),
          1, Profile(0.6, 0.8, 0.5, 2.8, 0.3), fade=(0.5, 0.4), cut=0.1, wobble=0.35),
    Folds(((285, -8.6, 7), (285, -8.8, 1)), ((285, -8.6, 7), (285, -8.8, 1)), 1, Profile(0.25, 0.6, 0.15, 2.0),
          fade=(0.5, 0.5), wobble=0.3),
)  # fmt: skip
_ROOT = Folds(
    low=((6, 0, 4.5), (6, 4.5, 4.8), (6, 8.5, 6.0)), high=((168, 0, 2.5), (168, 4.5, 2.8), (168, 9, 3.8)),
    count=2, profile=Profile(0.55, 0.75, 0.4, 2.4), fade=(0.3, 0.3), cut=0.12, wobble=0.35, whole=True,
)  # fmt: skip
_CROW = Fan(
    starts=((263, 8.0, 6.0), (263, 7.5, -7.5)), angles=(38.0, -40.0), lengths=(15.0, 25.0), count=5,
    profile=Profile(0.42, 0.6, 0.26, 2.0), bend=-6.0, minor=4, fade=(0.25, 0.5), wobble=0.45, fork=0.4,
)  # fmt: skip
_UNDER_EYE = Folds(
    low=((446, -3, 2.5), (448, -3, 2.2), (450, 2, 2.0), (452, 1.5, 0.5)),
    high=((446, -4, -4.5), (448, -2, -5.5), (450, 0, -4.5), (452, -1, -3.5)),
    count=3, profile=Profile(0.28, 0.6, 0.26, 2.1), minor=3, fade=(0.35, 0.3), cut=0.25, wobble=0.4, fork=0.2,
)  # fmt: skip
_BUNNY = Folds(
    low=((6, 3.2, -7.5), (6, 6.5, -5.5), (6, 10.5, -3.5)), high=((168, 2.6, -2.0), (168, 6.0, -2.0), (168, 10.0, -3.0)),
    count=3, profile=Profile(0.42, 0.62, 0.3, 1.9), minor=2, fade=(0.35, 0.45), cut=0.12, wobble=0.35, fork=0.25,
)  # fmt: skip
_NASOLABIAL_PATH = (
    (358, 0.5, 4.5),
    (358, 3.6, -1.5),
    (423, 4.0, -5.0),
    (426, 3.0, -5.5),
    (436, -0.5, -5.5),
    (291, 11.0, -7.0),
)
_NASOLABIAL = (
    Folds(_NASOLABIAL_PATH, _NASOLABIAL_PATH, 1, Profile(0.8, 1.7, 0.42, 6.5, 0.8), fade=(0.4, 0.55), cut=0.0,
          wobble=0.3),
    Folds(((423, 5.5, -5.5), (426, 5.5, -6), (436, 2.5, -6)), ((423, 5.5, -5.5), (426, 5.5, -6), (436, 2.5, -6)), 1,
          Profile(0.22, 0.7, 0.12, 2.2), fade=(0.5, 0.5), cut=0.2, wobble=0.5),
)  # fmt: skip
_CHEEK = Folds(
    low=((426, 15.0, 6.0), (427, 3.0, 1.0), (427, 3.5, -9.0), (434, -3.5, -2.0), (434, -5.5, -9.0)),
    high=((426, 22.0, 4.0), (427, 9.0, -1.0), (427, 8.5, -12.0), (434, 1.0, -5.0), (434, -2.5, -12.0)),
    count=1, profile=Profile(0.24, 1.9, 0.2, 5.5, 0.5), minor=1, fade=(0.5, 0.5), cut=0.05, wobble=0.7,
)  # fmt: skip
_CORNER = (
    Folds(((291, 0.6, -2.0), (291, 2.2, -6), (291, 3.4, -12), (291, 3.6, -19)),
          ((291, 0.6, -2.0), (291, 2.2, -6), (291, 3.4, -12), (291, 3.6, -19)),
          1, Profile(0.55, 1.15, 0.35, 4.2, 0.5), fade=(0.25, 0.7), cut=0.0, wobble=0.4),
    Folds(((291, 5.5, -6), (291, 6.6, -11), (291, 6, -16)), ((291, 5.5, -6), (291, 6.6, -11), (291, 6, -16)), 1,
          Profile(0.25, 0.7, 0.15, 2.2), fade=(0.5, 0.5), wobble=0.4),
)  # fmt: skip
_DIMPLE = Folds(
    low=((291, 3.0, 4.0), (291, 4.3, 0.0), (291, 3.2, -4.5)), high=((291, 6.2, 5.5), (291, 8.0, 0.0), (291, 6.4, -6)),
    count=2, profile=Profile(0.38, 0.7, 0.3, 2.3, 0.3), minor=1, fade=(0.45, 0.45), cut=0.1, wobble=0.3,
)  # fmt: skip
_UPPER_LIP = Fan(
    starts=((409, 1.5, 2.2), (0, 1.4, 0.8)), angles=(58.0, 93.0), lengths=(7.0, 12.0), count=4,
    profile=Profile(0.42, 0.7, 0.3, 2.1), minor=3, fade=(0.3, 0.6), wobble=0.35, fork=0.2,
)  # fmt: skip
_LOWER_LIP = Fan(
    starts=((321, 2.0, -2.5), (17, 2.0, -1.2)), angles=(-55.0, -88.0), lengths=(4.5, 7.5), count=3,
    profile=Profile(0.28, 0.6, 0.18, 1.9), minor=2, fade=(0.3, 0.6), wobble=0.3,
)  # fmt: skip
_CHIN = (Pits((199, 0, 4.5), (15.0, 10.5), 60, 0.34, 1.25),)
_CHIN_CREASE = Folds(
    low=((18, 0, -0.8), (18, 6, -0.4), (18, 12, 0.8), (18, 17, 3.2)),
    high=((18, 0, -2.6), (18, 6, -2.2), (18, 12, -1.0), (18, 17, 1.4)),
    count=1, profile=Profile(0.7, 1.1, 0.45, 3.8, -0.2), minor=1, fade=(0.35, 0.35), cut=0.0, wobble=0.4, whole=True,
)  # fmt: skip


def _pair(
    name: str, label: str, strokes: tuple[Folds | Fan | Pits, ...], law: Mapping[str, float], static: float,
    window: tuple[float, float] | None = None, resting: Mapping[str, float] | None = None,
) -> tuple[Group, Group]:  # fmt: skip
    """A group on each side; ``*`` in the name of a curve is the side."""

    def own(weights: Mapping[str, float], side: str) -> dict[str, float]:
        return {curve.replace("*", side): weight for curve, weight in weights.items()}

    def one(side: str, sign: float) -> Group:
        return Group(
            f"{name}_{side.lower()}", f"{label} {side.lower()}", sign, strokes, own(law, side), static, window,
            own(resting or {}, side),
        )  # fmt: skip

    return one("Left", 1.0), one("Right", -1.0)


GROUPS: tuple[Group, ...] = (
    Group("forehead", "Forehead", 1.0, (_FOREHEAD,), {"browInnerUp": 0.95, "browOuterUpLeft": 0.15,
          "browOuterUpRight": 0.15, "eyeWideLeft": 0.1, "eyeWideRight": 0.1}, 0.35, (26.0, 10.0),
          {"browDownLeft": 0.4, "browDownRight": 0.4}),
    *_pair("forehead", "Forehead", (_FOREHEAD,), {"browOuterUp*": 0.85, "browInnerUp": 0.35, "eyeWide*": 0.1}, 0.35,
           (10.0, 26.0), {"browDown*": 0.6}),
    *_pair("frown", "Frown", _FROWN, {"browDown*": 0.95, "noseSneer*": 0.15}, 0.45, None, {"browInnerUp": 0.3}),
    Group("nose_root", "Nose root", 1.0, (_ROOT,), {"browDownLeft": 0.35, "browDownRight": 0.35,
          "noseSneerLeft": 0.3, "noseSneerRight": 0.3}, 0.25),
    *_pair("crows_feet", "Crow's feet", (_CROW,), {"cheekSquint*": 0.6, "eyeSquint*": 0.5, "mouthSmile*": 0.35,
           "eyeBlink*": 0.1}, 0.4, None, {"eyeWide*": 0.5}),
    *_pair("under_eye", "Under eye", (_UNDER_EYE,), {"eyeSquint*": 0.6, "cheekSquint*": 0.55, "mouthSmile*": 0.15},
           0.4),
    *_pair("bunny", "Nose", (_BUNNY,), {"noseSneer*": 0.95, "mouthUpperUp*": 0.1}, 0.1),
    *_pair("nasolabial", "Nasolabial", _NASOLABIAL, {"mouthSmile*": 0.75, "noseSneer*": 0.5, "mouthUpperUp*": 0.35,
           "cheekSquint*": 0.2, "mouthDimple*": 0.25}, 0.6, None, {"mouthPucker": 0.4, "cheekPuff": 0.5}),
    *_pair("cheek", "Cheek", (_CHEEK,), {"mouthSmile*": 0.6, "mouthDimple*": 0.35, "mouthStretch*": 0.3,
           "cheekSquint*": 0.15}, 0.2, None, {"cheekPuff": 0.6}),
    *_pair("dimple", "Mouth corner", (_DIMPLE,), {"mouthDimple*": 0.8, "mouthSmile*": 0.35, "mouthPress*": 0.4,
           "mouthStretch*": 0.3}, 0.15, None, {"mouthPucker": 0.5}),
    *_pair("marionette", "Marionette", _CORNER, {"mouthFrown*": 0.8, "mouthShrugLower": 0.3, "mouthPress*": 0.2}, 0.45),
    Group("upper_lip", "Upper lip", 0.0, (_UPPER_LIP,), {"mouthPucker": 0.9, "mouthFunnel": 0.25}, 0.3, None,
          {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3}),
    Group("lower_lip", "Lower lip", 0.0, (_LOWER_LIP,), {"mouthPucker": 0.8, "mouthFunnel": 0.15}, 0.15, None,
          {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3}),
    Group("chin", "Chin", 1.0, _CHIN, {"mouthShrugLower": 0.85, "mouthPucker": 0.2, "mouthFrownLeft": 0.15,
          "mouthFrownRight": 0.15}, 0.1),
    Group("chin_crease", "Chin crease", 1.0, (_CHIN_CREASE,), {"mouthShrugLower": 0.7, "mouthFrownLeft": 0.15,
          "mouthFrownRight": 0.15, "mouthRollLower": 0.3, "mouthPucker": 0.3}, 0.3),
)  # fmt: skip

GROUP_NAMES: tuple[str, ...] = tuple(group.name for group in GROUPS)


def group_index(name: str) -> int:
    """The number of a group.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in GROUP_NAMES:
        raise KeyError(f"no wrinkle group {name!r}; there are {', '.join(GROUP_NAMES)}")
    return GROUP_NAMES.index(name)
