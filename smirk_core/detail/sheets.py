# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of wrinkles: ``python -m smirk_core.detail.sheets -o DIR``.

Sheets: ``wrinkles`` (six expressions, off and on), ``ages`` (a laugh and a raised brow from child to old), ``maps``
(every group at its peak) and, with ``--person FILE`` given twice, ``exchange``: the detail of either person under
expressions of the other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SmirkError
from ..heads.arkit import arkit_from_groups
from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..heads.library import load_head
from ..rendering.head_sheets import arkit_groups
from ..rendering.overlay import blend
from ..rendering.relief import Relief
from ..rendering.shading import Look, render_vertices
from ..rendering.sheets import contact_sheet, save_picture
from .activation import activations
from .baking import relief_height
from .groups import GROUP_NAMES
from .heights import wrinkle_maps
from .person import PersonDetail, load_person_detail

__all__ = ["EXPRESSIONS", "ages_sheet", "exchange_sheet", "maps_sheet", "wrinkled_head", "wrinkles_sheet"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]


def _both(**weights: float) -> dict[str, float]:
    """Weights of curves that come in two; a trailing underscore keeps a name as it is."""
    named = {name.removesuffix("_"): value for name, value in weights.items() if name.endswith("_")}
    for name, value in weights.items():
        if not name.endswith("_"):
            named |= {name + "Left": value, name + "Right": value}
    return named


EXPRESSIONS: dict[str, dict[str, float]] = {
    "brows up": _both(browInnerUp_=1.0, browOuterUp=0.9),
    "brows down": _both(browDown=1.0, eyeSquint=0.3),
    "smile": _both(mouthSmile=1.0, cheekSquint=0.9, eyeSquint=0.6, jawOpen_=0.1),
    "sneer": _both(noseSneer=1.0, mouthUpperUp=0.4, browDown=0.5),
    "pucker": _both(mouthPucker_=1.0),
    "frown": _both(mouthFrown=1.0, mouthShrugLower_=1.0, browDown=0.3),
}
_LOOK = Look(hair=0.0, gloss=0.06, blotches=0.08)


def wrinkled_head(
    model: HeadModel,
    weights: Mapping[str, float],
    size: int,
    *,
    age: float = 0.6,
    strength: float = 1.0,
    person: PersonDetail | None = None,
    yaw: float = 18.0,
    identity: Floats | None = None,
    look: Look = _LOOK,
) -> Picture:
    """(size, size, 3) a head close up with its wrinkles.

    Args:
        model: the head.
        weights: ARKit's, by name.
        size: pixels.
        age, strength: as for :func:`smirk_core.detail.activation.activations`.
        person: whose detail it wears.
        yaw: degrees by which it is turned.
        identity: (K,) whose face it is.
        look: colours and lamps.
    """
    groups = arkit_groups(model, weights)
    shares = None if person is None else person.shares
    acting = activations(arkit_from_groups(model, groups), age, strength, shares)[0]
    height, window = relief_height(model, acting, person=person if strength else None)
    groups["rotation"] = np.radians([[0.0, yaw, 0.0]])
    if identity is not None:
        groups["identity"] = identity[None]
    vertices = np.asarray(decode(model, groups).vertices[0])
    scale, middle = size / 0.165, (size - 1) / 2
    camera = np.array([scale, middle, middle + 0.004 * scale])
    image, alpha = render_vertices(model, vertices, camera, size, size, look, relief=Relief(height, window.bounds))
    return blend(np.full((size, size, 3), 72, np.uint8), image, alpha)


def wrinkles_sheet(model: HeadModel, size: int = 360) -> Picture:
    """Six expressions, without wrinkles above, with them below."""
    cells = [wrinkled_head(model, w, size, strength=on) for on in (0.0, 1.0) for w in EXPRESSIONS.values()]
    return contact_sheet(cells, len(EXPRESSIONS), [f"{n}, off" for n in EXPRESSIONS] + list(EXPRESSIONS))


def ages_sheet(model: HeadModel, size: int = 360) -> Picture:
    """A resting face, a smile and raised brows at five ages."""
    ages = (0.0, 0.25, 0.5, 0.75, 1.0)
    chosen = {"at rest": {}, "smile": EXPRESSIONS["smile"], "brows up": EXPRESSIONS["brows up"]}
    cells = [wrinkled_head(model, w, size, age=age) for w in chosen.values() for age in ages]
    return contact_sheet(cells, len(ages), [f"{name}, age {age:g}" for name in chosen for age in ages])


def maps_sheet(model: HeadModel, size: int = 300) -> Picture:
    """Every group's height over the face's window: grey is level, 0.5 mm up or down is white or black."""
    maps = wrinkle_maps(model, 1024)
    cells = []
    for index in range(len(GROUP_NAMES)):
        grey = np.clip(128 + 128 * maps.group_map(index) / 5e-4, 0, 255).astype(np.uint8)
        rows = np.linspace(0, grey.shape[0] - 1, size).astype(int)
        columns = np.linspace(0, grey.shape[1] - 1, size).astype(int)
        cells.append(np.repeat(grey[np.ix_(rows, columns)][..., None], 3, axis=2))
    return contact_sheet(cells, 6, list(GROUP_NAMES))


def exchange_sheet(model: HeadModel, people: Sequence[PersonDetail], size: int = 360, strength: float = 1.5) -> Picture:
    """A row for each person's detail, at rest and under the same expressions: it stays, and folds as that person does.

    ``strength`` exaggerates a person's own relief, to be seen in small pictures.
    """
    chosen = {"at rest": {}, **{n: EXPRESSIONS[n] for n in ("brows up", "brows down", "smile")}}
    cells, labels = [], []
    for number, person in enumerate(people):
        strong = PersonDetail(
            person.head, person.digest, person.window, strength * person.height, person.trust, person.shares
        )  # fmt: skip
        for name, weights in chosen.items():
            cells.append(wrinkled_head(model, weights, size, person=strong))
            labels.append(f"detail {'ABCDEFGH'[number % 8]}, {name}")
    return contact_sheet(cells, len(chosen), labels)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m smirk_core.detail.sheets", description=__doc__)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the sheets")
    parser.add_argument("--person", action="append", default=[], metavar="FILE", help="a file of smirk detail")
    parser.add_argument("--size", type=int, default=360, help="pixels of a cell")
    parser.add_argument("sheets", nargs="*", metavar="SHEET", help="wrinkles, ages, maps, exchange; all by default")
    options = parser.parse_args(arguments)
    made = {"wrinkles": wrinkles_sheet, "ages": ages_sheet, "maps": maps_sheet}
    unknown = [name for name in options.sheets if name not in (*made, "exchange")]
    if unknown:
        parser.error(f"there is no sheet {', '.join(unknown)}")
    try:
        model, wanted = load_head(), options.sheets or [*made, *(["exchange"] if options.person else [])]
        for name in wanted:
            if name == "exchange":
                picture = exchange_sheet(model, [load_person_detail(p) for p in options.person], options.size)
            else:
                picture = made[name](model, options.size)
            sys.stdout.write(f"{save_picture(picture, Path(options.output) / f'{name}.png')}\n")
    except SmirkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
