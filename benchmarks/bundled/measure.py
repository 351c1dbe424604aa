# SPDX-License-Identifier: Apache-2.0
"""What each predictor is asked, part by part: held-out people, single actions, portraits, covers, clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from training.measures import exaggeration

from . import figures
from .covers import KINDS, cover, hidden_and_visible
from .held_out import ACTIONS, HeldOut
from .observed import Seen, load_portraits, look, look_at_clip
from .people import Portrait, held_out_portraits
from .predictors import SOLVED, Asked, Prediction, Predictors, kept

__all__ = [
    "CLIPS",
    "PAIRS",
    "RealFaces",
    "Yard",
    "clips",
    "compared",
    "covers",
    "held_out",
    "identity_given",
    "portraits",
    "single_actions",
]

Array = npt.NDArray[Any]
Row = dict[str, Any]
CLIPS = ("interview_720p.mp4", "grid_bbaf2n.mpg", "grid_lrwp9a.mpg", "grid_swiz3n.mpg")
_COVERED, _SHARES, _SEED = 40, (0.1, 0.25, 0.4), 7
PAIRS = (("both", "solve"), ("both", "encoder"), ("both", "landmarks"), ("encoder", "landmarks"), ("encoder", "solve"))
_KNOWN = 144  # pictures that are solved once more with the identity given


@dataclass(frozen=True)
class RealFaces:
    """Portraits of the collection that are neutral or the same people smiling."""

    portraits: list[Portrait]
    seen: Seen

    def rows(self, *kinds: str) -> Array:
        """Indices of the portraits of some kinds, in the order of the people."""
        chosen = [i for i, p in enumerate(self.portraits) if p.kind in kinds]
        return np.array(sorted(chosen, key=lambda i: self.portraits[i].person), int)


@dataclass
class Yard:
    """All inputs, with detections kept in a folder. Answers of predictors are asked for once.

    Args:
        model: the head. truth: the held-out set. folder: keeps detections. faces, media: the collections, which may be
            missing: their parts are then left out. fresh: ask again, whatever is kept.
    """

    model: HeadModel
    truth: HeldOut
    folder: Path
    faces: Path
    media: Path
    fresh: bool = False
    _real: RealFaces | None = None
    _clips: dict[str, Seen] = field(default_factory=dict)
    _answers: dict[tuple[str, str], Prediction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.flatnonzero(self.truth.action == "")
        self.seen = look(list(self.truth.pictures), self.folder)

    @property
    def real(self) -> RealFaces:
        if self._real is None:
            known = [
                p for p in held_out_portraits(self.faces) if p.kind in ("neutral_front", "smiling_front", "canada")
            ]
            pictures = load_portraits(self.faces / "eval", [p.name for p in known])
            self._real = RealFaces(known, look(pictures, self.folder))
        return self._real

    def clip(self, name: str) -> Seen:
        if name not in self._clips:
            self._clips[name] = look_at_clip(self.media / name, self.folder)
        return self._clips[name]

    def answer(self, predictors: Predictors, name: str, what: str) -> Prediction:
        """What a predictor says of the held-out set ("drawn"), or of the portraits ("real"); kept in the folder."""
        if (name, what) not in self._answers:
            seen = self.seen if what == "drawn" else self.real.seen
            path = self._place(predictors, name, what)
            self._answers[name, what] = kept(path, lambda: predictors.ask(name, seen), self.fresh)
        return self._answers[name, what]

    def answered(self, predictors: Predictors, name: str, what: str) -> bool:
        """Whether :meth:`answer` costs nothing."""
        return (name, what) in self._answers or self._place(predictors, name, what).is_file()

    def _place(self, predictors: Predictors, name: str, what: str) -> Path:
        return self.folder / f"answer-{what}-{name}-{predictors.mark(name)}.npz"

    def reference(self, predictors: Predictors, clip: str) -> Prediction:
        """The plain fit of every frame of a clip alone: nothing holds it back, so it has no lag."""
        if ("plain", clip) not in self._answers:
            self._answers["plain", clip] = predictors.ask("plain", self.clip(clip), Asked(smoothing=0.0))
        return self._answers["plain", clip]


def held_out(yard: Yard, predictors: Predictors, name: str) -> Row:
    """Random performances of held-out people against the exact truth."""
    rows, truth = yard.random, yard.truth.part(yard.random)
    answer = yard.answer(predictors, name, "drawn")
    found, true, plain = answer.weights[rows], truth.weights, figures.NOT_GAZE
    table = figures.curve_table(true, found)
    strong = figures.strongest(yard.model, true)
    slopes = [table[n]["slope"] for n in strong]
    out: Row = {
        "pooled r": figures.pooled(true, found, truth.person),
        "pooled r without gaze": figures.pooled(true[:, plain], found[:, plain], truth.person),
        "mean r": float(np.mean([c["r"] for n, c in table.items() if not n.startswith("eyeLook")])),
        "slopes within .75 to 1.25": float(np.mean([0.75 <= s <= 1.25 for s in slopes])),
        "mean slope of the strongest": float(np.mean(slopes)),
        **{f"error, {k}": v for k, v in figures.errors(true[:, plain], found[:, plain]).items()},
        "face mm": float(figures.face_mm(yard.model, truth.groups["identity"], true, found).mean()),
        "seconds a picture": answer.seconds,
        "faces not found": int((~yard.seen.found[rows]).sum()),
        "curves": table,
    }
    return out


def compared(yard: Yard, predictors: Predictors) -> dict[str, figures.Interval]:
    """By how much the pooled r of one predictor is above another's, for pairs that have answered; the same people."""
    truth, out = yard.truth.part(yard.random), {}
    for one, other in PAIRS:
        if not all(yard.answered(predictors, n, "drawn") for n in (one, other)):
            continue
        a, b = (yard.answer(predictors, n, "drawn").weights[yard.random] for n in (one, other))
        out[f"{one} over {other}"] = figures.difference(truth.weights, a, b, truth.person)
    return out


def identity_given(yard: Yard, predictors: Predictors, name: str) -> Row:
    """The first of the held-out pictures, one a person, solved once more with the true identity."""
    if name not in SOLVED:
        return {}
    some = yard.truth.part(yard.random[: min(_KNOWN, len(yard.random))])
    identity = some.groups["identity"]
    found = predictors.ask(name, yard.seen.part(yard.random[: len(some)]), Asked(identity=identity)).weights
    return {
        "face mm": float(figures.face_mm(yard.model, identity, some.weights, found).mean()),
        "pooled r": figures.pooled(some.weights, found, some.person),
    }


def single_actions(yard: Yard, predictors: Predictors, name: str) -> Row:
    """One action at full strength: what is read of it, and what of everything else."""
    weights, out = yard.answer(predictors, name, "drawn").weights, {}
    rest = weights[yard.truth.action == "rest"]
    for action, curves in ACTIONS.items():
        rows = weights[yard.truth.action == action]
        if not curves or not len(rows):
            continue
        index = [ARKIT_INDEX[c] for c in curves]
        others = figures.NOT_GAZE.copy()
        others[index] = False
        out[action] = {
            "read": float(rows[:, index].mean()),
            "at rest": float(rest[:, index].mean()) if len(rest) else float("nan"),
            "everything else": float(rows[:, others].sum(1).mean()),
        }
    for side, other in (("left", "Right"), ("right", "Left")):
        rows = weights[yard.truth.action == f"wink {side}"]
        if len(rows):
            own = rows[:, ARKIT_INDEX["eyeBlink" + side.capitalize()]]
            far = rows[:, ARKIT_INDEX["eyeBlink" + other]]
            out[f"wink {side}"]["other eye"] = float(far.mean())
            out[f"wink {side}"]["shut and open"] = float(((own > 0.8) & (far < 0.3)).mean())
    return out


def portraits(yard: Yard, predictors: Predictors, name: str) -> Row:
    """Real people at rest, and the same people smiling."""
    real, answer = yard.real, yard.answer(predictors, name, "real")
    calm = answer.weights[real.rows("neutral_front", "canada")]
    still, smiling = real.rows("neutral_front"), real.rows("smiling_front")
    people = [[real.portraits[i].person for i in rows] for rows in (still, smiling)]
    if people[0] != people[1]:
        raise ValueError("the pairs of neutral and smiling portraits are not of the same people")
    means, plain = calm.mean(0), figures.NOT_GAZE
    largest = int(np.argmax(means * plain))
    smile = [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]
    wide = answer.weights[smiling][:, smile].mean(1)
    out: Row = {
        "largest mean of a curve": float(means[largest]),
        "which": ARKIT_NAMES[largest],
        "curves with a mean above .1": int((means[plain] > 0.1).sum()),
        "curves above .3 a face": float((calm[:, plain] > 0.3).sum(1).mean()),
        "browDown": float(calm[:, [ARKIT_INDEX["browDownLeft"], ARKIT_INDEX["browDownRight"]]].mean()),
        "smile, smiling": float(wide.mean()),
        "pairs with the smile higher": float((wide > answer.weights[still][:, smile].mean(1)).mean()),
        "means": dict(zip(ARKIT_NAMES, map(float, means), strict=True)),
    }
    if answer.identity is not None:
        none = np.zeros((len(still), len(ARKIT_NAMES)))
        both = [figures.faces(yard.model, answer.identity[r], none).reshape(len(r), -1) for r in (still, smiling)]
        out["identity"] = figures.closer(*both)
    return out


def _covered_faces(yard: Yard) -> tuple[Seen, Array, Array, Array]:
    """Covered portraits, the rows of the uncovered ones, and (N, 52) which curves are hidden and which visible."""
    real, rng = yard.real, np.random.default_rng(_SEED)
    calm, smiling = real.rows("neutral_front"), real.rows("smiling_front")
    some = np.linspace(0, len(calm) - 1, _COVERED).astype(int)
    rows = np.where(np.arange(_COVERED) % 2, calm[some], smiling[some])
    rows = rows[real.seen.found[rows]]
    pictures, hidden, visible = [], [], []
    for i, row in enumerate(rows):
        for k, share in enumerate(_SHARES):
            marks, other = real.seen.landmarks[row], np.asarray(real.seen.pictures[rows[i - 1]])
            kind = KINDS[(i + k) % len(KINDS)]
            picture, mask = cover(np.asarray(real.seen.pictures[row]), marks, share, kind, rng, other)
            away, seen = hidden_and_visible(marks, mask)
            pictures.append(picture)
            hidden.append(away)
            visible.append(seen)
    return look(pictures, yard.folder), np.repeat(rows, len(_SHARES)), np.array(hidden), np.array(visible)


def covers(yard: Yard, predictors: Predictors, name: str) -> Row:
    """Real faces with a tenth to four tenths hidden, against themselves without."""
    seen, rows, hidden, visible = _covered_faces(yard)
    keep = seen.found
    open_ = yard.answer(predictors, name, "real").weights[rows][keep][:, figures.NOT_GAZE]
    found = predictors.ask(name, seen).weights[keep][:, figures.NOT_GAZE]
    hidden, visible = hidden[keep][:, figures.NOT_GAZE], visible[keep][:, figures.NOT_GAZE]
    return {
        "exaggeration": exaggeration(found, open_),
        "exaggeration of hidden curves": exaggeration(found[hidden], open_[hidden]),
        "change of visible curves": float(np.abs(found - open_)[visible].mean()),
        "change of visible curves at work": _active_change(found, open_, visible),
        "largest change of a visible curve": float(np.percentile(np.abs(found - open_)[visible], 99)),
        "faces not found": int((~keep).sum()),
        "pictures": len(keep),
    }


def _active_change(found: Array, open_: Array, visible: Array) -> float:
    """Mean change of visible curves that stand above .1 in either picture: most rest, and resting ones prove little."""
    work = visible & (np.maximum(found, open_) > 0.1)
    return float(np.abs(found - open_)[work].mean()) if work.any() else 0.0


def clips(yard: Yard, predictors: Predictors, name: str) -> Row:
    """Real clips: what the interview's parts read as; jitter and lag of curves of each clip."""
    out: Row = {}
    for file in CLIPS:
        if not (yard.media / file).is_file():
            continue
        seen = yard.clip(file)
        curves = predictors.ask(name, seen).weights[seen.found][:, figures.NOT_GAZE]
        reference = yard.reference(predictors, file).weights[seen.found][:, figures.NOT_GAZE]
        out[file] = figures.jitter(curves) | {"lag": figures.lag(reference, curves)}
        if file.startswith("interview"):
            third = len(curves) // 3
            names = [n for n, k in zip(ARKIT_NAMES, figures.NOT_GAZE, strict=True) if k]
            index = {n: i for i, n in enumerate(names)}
            down = curves[:, [index["browDownLeft"], index["browDownRight"]]]
            out["interview"] = {
                "browDown laughing": float(down[:third].mean()),
                "browDown angry": float(down[-third:].mean()),
                "mouthFrown angry": float(curves[-third:, [index["mouthFrownLeft"], index["mouthFrownRight"]]].mean()),
                "smile laughing": float(curves[:third, [index["mouthSmileLeft"], index["mouthSmileRight"]]].mean()),
                "jawOpen laughing": float(curves[:third, index["jawOpen"]].mean()),
            }
    return out
