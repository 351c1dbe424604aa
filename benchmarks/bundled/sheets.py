# SPDX-License-Identifier: Apache-2.0
"""Held-out faces beside the heads that were read from them: a sheet to judge by eye, its best and its worst.

    python -m benchmarks.bundled.sheets FOLDER --encoder FILE -o OUT [--count 48] [--size 120]

Half of the faces are drawn (their truth is known, and shown last), half are photographs of smiling and of resting
people. ``all.png`` holds every face, ordered by how far encoder and solve disagree; ``agree.jpg`` and ``disagree.jpg``
the ends of that order, small enough for documentation. The photographs are named in
:data:`benchmarks.bundled.people.ATTRIBUTION`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.encoder.architecture import CROP_SCALE
from smirk_core.encoder.runtime import load_encoder
from smirk_core.errors import SmirkError
from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.rendering.looks import Look
from smirk_core.rendering.overlay import blend, crop, label, side_by_side
from smirk_core.rendering.shading import render_vertices
from smirk_core.rendering.sheets import contact_sheet, save_picture
from smirk_core.tracking.crop import crop_transform

from . import figures
from .held_out import load_held_out
from .measure import Yard
from .observed import Seen
from .predictors import WORDS, Prediction, Predictors

__all__ = ["Strip", "main", "strips"]

Array = npt.NDArray[Any]
_WIDER = 1.15  # of the panel over the encoder's crop


class Strip:
    """A face and the heads that were read from it, in one row of panels.

    Args:
        model: the head. photo: (H, W, 3) uint8. landmarks: (478, 3) that frame the panels. size: of a panel, pixels.
    """

    def __init__(self, model: HeadModel, photo: Array, landmarks: Array, size: int) -> None:
        matrix = crop_transform(landmarks, CROP_SCALE * _WIDER).matrix
        side = 223 / matrix[0, 0]
        self.model, self.size = model, size
        self.box = (-matrix[0, 2] / matrix[0, 0], -matrix[1, 2] / matrix[1, 1], side)
        self.panels = [crop(photo, self.box, size)]
        self.words = ["photo"]

    def add(self, words: str, groups: Mapping[str, Array]) -> None:
        """One more head: identity (1, K) and the groups of one frame, (1, size) each; camera of the photo's pixels."""
        left, top, side = self.box
        factor = self.size / side
        scale, tx, ty = (float(c) for c in groups["camera"][0])
        camera = np.array([scale * factor, (tx - left) * factor - 0.5, (ty - top) * factor - 0.5], np.float32)
        posed = {n: np.asarray(v, np.float32) for n, v in groups.items() if n not in ("camera", "neck")}
        vertices = np.asarray(decode(self.model, posed).vertices[0])
        image, alpha = render_vertices(self.model, vertices, camera, self.size, self.size, Look.clay())
        self.panels.append(blend(np.full_like(image, 58), image, alpha))
        self.words.append(words)

    def picture(self, title: str = "") -> Array:
        """(size, panels * size, 3), the first panel with a title, the others with what they are."""
        words = [title or self.words[0], *self.words[1:]]
        return side_by_side(
            [label(p, w, max(9, self.size // 13)) for p, w in zip(self.panels, words, strict=True)], gap=2
        )


def _one(answer: Prediction, i: int) -> dict[str, Array]:
    keep = ("rotation", "camera", "expression", "jaw", "eyelids", "eyes")
    groups = {n: answer.groups[n][i : i + 1] for n in keep if n in answer.groups}
    assert answer.identity is not None
    return groups | {"identity": answer.identity[i : i + 1]}


def strips(
    yard: Yard, predictors: Predictors, names: list[str], count: int, size: int
) -> tuple[list[Array], npt.NDArray[np.floating[Any]]]:
    """Strips of ``count`` faces, and how far the last predictor's weights are from the first one's, (count,)."""
    half = count // 2
    drawn = yard.random[np.linspace(0, len(yard.random) - 1, half).astype(int)]
    smiling, calm = yard.real.rows("smiling_front"), yard.real.rows("neutral_front", "canada")
    some = [r[np.linspace(0, len(r) - 1, n).astype(int)] for r, n in ((smiling, -(-half // 2)), (calm, half // 2))]
    out, apart = [], []
    for seen, truth in ((yard.seen.part(drawn), drawn), (yard.real.seen.part(np.concatenate(some)), None)):
        seen, truth = _found(seen, truth)
        answers = {n: predictors.ask(n, seen) for n in names}
        first, last = (answers[n].weights[:, figures.NOT_GAZE] for n in (names[0], names[-1]))
        apart.append(np.abs(first - last).sum(1))
        for i in range(len(seen)):
            strip = Strip(yard.model, np.asarray(seen.pictures[i]), seen.landmarks[i], size)
            for name in names:
                strip.add(WORDS[name], _one(answers[name], i))
            if truth is not None:
                posed = _one(answers[names[0]], i)
                own = groups_from_arkit(yard.model, yard.truth.weights[truth[i]][None])
                strip.add("truth", posed | own | {"identity": yard.truth.groups["identity"][truth[i]][None]})
            else:
                strip.panels.append(np.full_like(strip.panels[0], 12))
                strip.words.append("")
            out.append(strip)
    order = np.concatenate(apart)
    return [s.picture(f"{d:.1f} apart") for s, d in zip(out, order, strict=True)], order


def _found(seen: Seen, truth: Array | None) -> tuple[Seen, Array | None]:
    keep = np.flatnonzero(seen.found)
    return replace(seen.part(keep)), None if truth is None else truth[keep]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="none")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--ends", type=int, default=8, help="faces in each of the two small sheets")
    parser.add_argument("--size", type=int, default=120)
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    given = parser.parse_args(arguments)
    try:
        model = load_head("open")
        encoder = None if given.encoder == "none" else load_encoder(given.encoder, "cpu", model)
        names = ["plain", "solve"] if encoder is None else ["solve", "both", "encoder"]
        yard = Yard(model, load_held_out(given.folder, model), given.folder, given.faces, given.media)
        pictures, apart = strips(yard, Predictors(model, encoder), names, given.count, given.size)
        order = np.argsort(apart)
        ends = {"agree.jpg": order[: given.ends], "disagree.jpg": order[::-1][: given.ends]}
        for name, rows in {"all.png": order, **ends}.items():
            sheet = contact_sheet([pictures[i] for i in rows], 3 if name == "all.png" else 2)
            save_picture(sheet, given.output / name)
    except SmirkError as error:
        print(f"sheets: {error}", file=sys.stderr)
        return 2
    print(f"{len(pictures)} faces in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
