# SPDX-License-Identifier: Apache-2.0
"""Draw the held-out set: portraits of people whom no training has seen, with other expressions and exact truth.

    python -m benchmarks.bundled.held_out --fits FITS.npz -o FOLDER [--images 360] [--actors 16]

Two parts: ``random`` (every person two or three times, random performances, turned heads, a camera's faults) and
``single`` (some people, one action at full strength each, nearly frontal; and at rest). Source photographs are the
near-neutral ones. The same seed and head give the same pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.safe_npz import read_arrays

from .people import held_out_portraits

if TYPE_CHECKING:
    from training.data.reposed import Pose, Reposer

__all__ = ["ACTIONS", "GROUPS", "HeldOut", "action_weights", "draw", "load_held_out", "main"]

Array = npt.NDArray[Any]
GROUPS = ("identity", "rotation", "camera", "jaw", "eyes", "eyelids", "expression")
SIZE, SEED = 280, 20_261
_BATCH, _NOISE, _CROP = 12, 0.6, (1.45, 1.8)

# What a director asks for -> the weights that are at 1.
ACTIONS: dict[str, tuple[str, ...]] = {
    "rest": (),
    "jaw left": ("jawLeft",), "jaw right": ("jawRight",), "jaw open": ("jawOpen",),
    "funnel": ("mouthFunnel",), "pucker": ("mouthPucker",),
    "frown": ("browDownLeft", "browDownRight"), "mouth frown": ("mouthFrownLeft", "mouthFrownRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"), "wink left": ("eyeBlinkLeft",), "wink right": ("eyeBlinkRight",),
    "sneer": ("noseSneerLeft", "noseSneerRight"), "cheek puff": ("cheekPuff",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"), "brows in up": ("browInnerUp",),
    "brows out up": ("browOuterUpLeft", "browOuterUpRight"),
}  # fmt: skip


@dataclass(frozen=True)
class HeldOut:
    """The set, in the order of ``person``.

    Attributes:
        pictures: (N, S, S, 3) uint8 RGB.
        groups: truth, (N, size) per group; ``camera`` is the crop camera of the picture.
        weights: (N, 52) truth as ARKit weights.
        person: (N,) who.
        action: (N,) a key of :data:`ACTIONS`, or "" in the random part.
        head: digest of the head that drew it.
    """

    pictures: Array
    groups: dict[str, Array]
    weights: Array
    person: Array
    action: Array
    head: str

    def __len__(self) -> int:
        return len(self.person)

    def part(self, rows: Array) -> HeldOut:
        """Some of the pictures, by index or mask."""
        groups = {n: v[rows] for n, v in self.groups.items()}
        return HeldOut(self.pictures[rows], groups, self.weights[rows], self.person[rows], self.action[rows], self.head)


def action_weights(action: str) -> Array:
    """(52,) weights of one action at full strength.

    Raises:
        KeyError: there is no such action.
    """
    out = np.zeros(len(ARKIT_INDEX), np.float32)
    for name in ACTIONS[action]:
        out[ARKIT_INDEX[name]] = 1.0
    return out


def load_held_out(folder: Path, model: HeadModel) -> HeldOut:
    """Read what :func:`draw` wrote.

    Raises:
        TrainingError: the folder holds no such set, or it was drawn with a head of other parameters.
    """
    path = folder / "held_out.npz"
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"There is no held-out set in {folder} ({error}); draw it with held_out.") from error
    groups = {n: arrays[n] for n in GROUPS}
    if groups["expression"].shape[1] != model.expression_size or groups["identity"].shape[1] > model.identity_size:
        raise TrainingError(f"{path} was drawn with another head's parameters: draw it again.")
    return HeldOut(
        arrays["pictures"], groups, arrays["weights"], arrays["person"], arrays["action"], str(arrays["head"])
    )


def draw(fits: Path, faces: Path, images: int, actors: int, threads: int = 1) -> dict[str, Array]:
    """The arrays of the set.

    Raises:
        TrainingError: the fits cannot be used.
    """
    import torch

    from training.data.album import Album
    from training.data.reposed import Reposer

    torch.set_num_threads(threads)
    model = load_head("open")
    known = {p.name: p for p in held_out_portraits(faces)}
    album = Album.load(fits, faces / "eval", model, SIZE)
    calm = [i for i, n in enumerate(album.names) if n in known and known[n].neutral]
    people: dict[str, int] = {}
    for i in calm:
        people.setdefault(known[album.names[i]].person, i)  # one photograph a person
    if not people:
        raise TrainingError(f"None of the portraits of {fits} is a neutral one of {faces}.")
    names, rows = list(people), np.array(list(people.values()))
    poser = Reposer(model, album, SIZE, crop=_CROP)
    order = np.resize(np.random.default_rng(SEED).permutation(len(names)), images)
    cast = np.linspace(0, len(names) - 1, min(actors, len(names))).astype(int)
    plan = [(k, "") for k in order] + [(k, a) for a in ACTIONS for k in cast]
    pictures, groups = [], {n: [] for n in GROUPS}
    for start in range(0, len(plan), _BATCH):
        some = plan[start : start + _BATCH]
        image, pose = _drawn(poser, rows[[k for k, _ in some]], [a for _, a in some], SEED + start)
        pictures.append(image)
        for name in GROUPS:
            groups[name].append(pose.groups[name].numpy())
        print(f"{min(start + _BATCH, len(plan))} of {len(plan)} pictures", flush=True)
    truth = {n: np.concatenate(v).astype(np.float32) for n, v in groups.items()}
    moving = {n: truth[n] for n in ("jaw", "eyes", "eyelids", "expression")}
    return truth | {
        "pictures": np.concatenate(pictures),
        "weights": arkit_from_groups(model, moving).astype(np.float32),
        "person": np.array([names[k] for k, _ in plan]),
        "action": np.array([a for _, a in plan]),
        "head": np.array(model.digest),
    }


def _drawn(poser: Reposer, rows: Array, actions: list[str], seed: int) -> tuple[Array, Pose]:
    """(B, S, S, 3) uint8 pictures and their poses; where an action is named it is the only one."""
    import torch

    from smirk_core.heads.decode import decode, landmark_points
    from training.data.camera_noise import develop
    from training.data.dice import Dice
    from training.data.face_paint import opening
    from training.data.framing import composed, crop_camera, head_turns

    dice, count = Dice(seed), len(rows)
    with torch.no_grad():
        pose = poser.sample(dice, count, torch.as_tensor(rows))
        acted = torch.tensor([a != "" for a in actions])
        if acted.any():
            own = np.stack([action_weights(a) if a else np.zeros(len(ARKIT_INDEX), np.float32) for a in actions])
            asked = poser.actor.groups(torch.from_numpy(own))
            asked["rotation"] = composed(head_turns(dice, count, 10.0, 6.0, 3.0), poser.album.groups["rotation"][rows])
            groups = {n: torch.where(acted[:, None], asked[n], v) if n in asked else v for n, v in pose.groups.items()}
            vertices = decode(poser.head, groups).vertices
            marks = landmark_points(poser.head, vertices, poser.model.landmarks["mediapipe_478"])
            groups["camera"] = torch.where(acted[:, None], crop_camera(marks, dice, *_CROP), groups["camera"])
            look = pose.look | {"opening": opening(poser.head, vertices)}
            pose = replace(pose, groups=groups, vertices=vertices, look=look)
        image = develop(poser.draw(pose)[0], dice, _NOISE)
    return (image * 255 + 0.5).clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy(), pose


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--fits", type=Path, required=True, help="made by training.data.fit_portraits from FACES/eval")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--images", type=int, default=360)
    parser.add_argument("--actors", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        arrays = draw(given.fits, given.faces, given.images, given.actors, given.threads)
        with atomic(given.output / "held_out.npz") as path:
            np.savez(path, **arrays)
    except SmirkError as error:
        print(f"held_out: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"pictures": len(arrays["person"]), "people": len(set(arrays["person"].tolist()))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
