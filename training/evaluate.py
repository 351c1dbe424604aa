# SPDX-License-Identifier: Apache-2.0
"""``python -m training.evaluate RUN -o FOLDER``: how well an encoder does on faces that it did not learn from.

Beside it stand two predictors that know nothing: the *mean face* (no identity, the mean expression of other made
faces; true pose and camera where there are any) and *zero expression* (the encoder's own answer, expression at rest).
Faces with truth come from any source that has it; real ones from a folder that ``training.data.prepare`` made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.encoder.architecture import IMAGE_SIZE
from smirk_core.encoder.checkpoint import load_weights
from smirk_core.encoder.smirk_encoder import SmirkEncoder
from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head
from smirk_core.neural import losses
from smirk_core.neural.face_model import FaceModel
from smirk_core.neural.paths import Batch, Paths

from . import measures
from .agreement import agreement
from .build import build_paths, start_from
from .data.plain import plain_batch, random_groups
from .data.source import Request, open_source
from .export_weights import averaged_weights
from .plain_renderer import numpy_picture
from .resynthesis import resynthesis
from .transfer import transfer

__all__ = ["Predictor", "evaluate", "load_paths", "main", "save", "table"]

Array = npt.NDArray[Any]
Groups = dict[str, Tensor]
Predictor = Callable[[Batch], Groups]
_REGIONS = ("face", "forehead", "eyes", "nose", "cheeks", "lips")
_SEED = 2**31 - 2
_FACE = ("expression", "jaw", "eyelids", "identity")


def load_paths(source: Path, size: int = IMAGE_SIZE) -> Paths:
    """Networks of a run, a checkpoint or an encoder file, ready to be asked.

    Args:
        source: folder or file.
        size: of the pictures that an encoder file was trained on; runs know theirs.

    Raises:
        TrainingError, AssetError: it cannot be used.
    """
    if source.is_dir():
        weights, _, config = averaged_weights(source)
        paths = build_paths(replace(config, model=replace(config.model, start="", start_generator="")))
        if paths.generator is not None:
            paths.generator.load_state_dict(dict(start_from(str(source), "generator")))
    else:
        weights = load_weights(source)
        head = load_head("open" if weights.head.startswith("open") else weights.head)
        face = FaceModel(head, size, expressions=weights.size.n_exp, landmarks=tuple(head.landmarks))
        paths = Paths(SmirkEncoder(weights.size), None, face, torch.ones(len(head.triangles)))
    paths.encoder.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.arrays.items()})
    paths.face.landmark_names = tuple(paths.face.model.landmarks)
    return paths.eval()


def predictors(paths: Paths, source: str, options: Mapping[str, Any], size: int) -> dict[str, Predictor]:
    """The encoder and those that know nothing."""
    others = next(open_source(source, Request(size, 32, _SEED - 1, training=False), options))
    mean = {k: v.mean(0, keepdim=True) for k, v in others.truth.items()}

    def encoder(batch: Batch) -> Groups:
        return paths.encode(batch.image)

    def rest(batch: Batch) -> Groups:
        return {
            k: torch.zeros_like(v) if k in ("expression", "jaw", "eyelids") else v for k, v in encoder(batch).items()
        }

    def mean_face(batch: Batch) -> Groups:
        found = encoder(batch)
        out = {k: mean[k].expand(len(batch), -1)[:, : v.shape[1]] if k in mean else v for k, v in found.items()}
        posed = {k: batch.truth[k] for k in ("rotation", "camera") if k in batch.truth}
        return out | {"identity": torch.zeros_like(found["identity"])} | posed

    return {"encoder": encoder, "zero expression": rest, "mean face": mean_face}


@torch.no_grad()
def evaluate(
    paths: Paths,
    *,
    source: str = "plain",
    options: Mapping[str, Any] | None = None,
    faces: Mapping[str, Any] | None = None,
    count: int = 256,
    render_steps: int = 0,
    notes: list[str] | None = None,
) -> dict[str, dict[str, float]]:
    """All figures.

    Args:
        paths: of :func:`load_paths`.
        source, options: made faces with truth.
        faces: options of the source ``faces``: real ones with a detector's landmarks; none where not given.
        count: faces in each part.
        render_steps: of the neural-render test (E), which takes time; 0 leaves it out.
        notes: takes a line for each part that had to be left out.

    Returns:
        Predictor -> name of a figure -> figure. Millimetres, radians, percent; see :mod:`training.measures`.
    """
    size = paths.face.renderer.size
    asked = predictors(paths, source, options or {}, size)
    made = _gather(source, options or {}, size, count)
    if not made[0].truth:
        raise TrainingError(f"The source '{source}' knows no truth; use 'plain', 'synthetic' or 'reposed'.")
    real = _gather("faces", faces, size, count) if faces else []
    results = {name: _truth(paths, ask, made) for name, ask in asked.items()}
    for name, ask in asked.items():
        results[name] |= _identity(paths, ask) | _landmarks(paths, ask, made, "made")
        if real:
            results[name] |= _landmarks(paths, ask, real, "real")
    results["encoder"] |= _jitter(paths, asked["encoder"], made[0]) | _occlusion(paths, asked["encoder"], made)
    results["encoder"] |= _cycle(paths, made[0]) | transfer(paths.face, paths.encode, (real or made)[0].image)
    images = [batch.image for batch in real or made]
    results["encoder"] |= agreement(paths.face.model, paths.encode, images, [] if notes is None else notes)
    if render_steps:
        results["encoder"] |= resynthesis(paths, real or made, steps=render_steps)
    return results


def _gather(source: str, options: Mapping[str, Any], size: int, count: int) -> list[Batch]:
    batches = open_source(source, Request(size, 16, _SEED, training=False), options)
    return [next(batches) for _ in range(max(count // 16, 1))]


def _numpy(groups: Sequence[Mapping[str, Tensor]]) -> dict[str, Array]:
    names = set(groups[0]).intersection(*groups)
    return {k: torch.cat([g[k] for g in groups]).cpu().numpy() for k in sorted(names)}


def _truth(paths: Paths, ask: Predictor, batches: Sequence[Batch]) -> dict[str, float]:
    """Tests A and B: vertices by region, curves, jaw, lids, sides."""
    model = paths.face.model
    regions = {n: np.asarray(model.regions[n]) for n in _REGIONS if n in model.regions}
    found_all, wanted_all, errors = [], [], []
    for batch in batches:
        wanted, found = dict(batch.truth), ask(batch)
        still = wanted | {"rotation": torch.zeros_like(wanted["rotation"])}
        own = still | {k: found[k] for k in _FACE}
        moved = still | {k: found[k] for k in _FACE if k != "identity"}
        true = paths.face.mesh(still).vertices.cpu().numpy()
        whole = measures.vertex_errors(paths.face.mesh(own).vertices.cpu().numpy(), true, regions)
        moves = measures.vertex_errors(paths.face.mesh(moved).vertices.cpu().numpy(), true, regions)
        errors.append(whole | {f"expression_{k}": v for k, v in moves.items()})
        found_all.append(found)
        wanted_all.append({k: wanted[k] for k in (*_FACE, "rotation", "camera")})
    found, wanted = _numpy(found_all), _numpy(wanted_all)
    width = min(found["expression"].shape[1], wanted["expression"].shape[1])
    a, b = found["expression"][:, :width], wanted["expression"][:, :width]
    out = {k: float(np.mean([e[k] for e in errors])) for k in errors[0]}
    out |= measures.curves(a, b) | measures.asymmetry(a, b, model.expression_names[:width])
    out["jaw_degrees"] = float(np.degrees(np.abs(found["jaw"] - wanted["jaw"])[:, 0].mean()))
    out["jaw_slope"] = measures.slope(found["jaw"][:, 0], wanted["jaw"][:, 0])
    out["eyelid_error"] = float(np.abs(found["eyelids"] - wanted["eyelids"]).mean())
    out["eyelid_slope"] = measures.slope(found["eyelids"].ravel(), wanted["eyelids"].ravel())
    out["rotation_degrees"] = float(np.degrees(np.linalg.norm(found["rotation"] - wanted["rotation"], axis=1).mean()))
    return out


def _identity(paths: Paths, ask: Predictor, people: int = 8, each: int = 8) -> dict[str, float]:
    """Test C, on plain faces: eight people with eight expressions and poses each."""
    dice = torch.Generator().manual_seed(_SEED)
    groups = random_groups(paths.face.model, people * each, dice)
    groups["identity"] = groups["identity"][:people].repeat_interleave(each, 0)
    batch = plain_batch(paths.face, people * each, dice, groups=groups)
    found = ask(batch)["identity"]
    ratio = measures.identity_ratio(found.numpy(), np.repeat(np.arange(people), each))
    camera = groups["camera"]
    true = paths.face.mesh({"identity": groups["identity"], "camera": camera}).vertices
    mine = paths.face.mesh({"identity": found, "camera": camera}).vertices
    keep = torch.from_numpy(np.asarray(paths.face.model.regions["face"]))
    error = 1000 * (mine - true)[:, keep].norm(dim=-1).mean().item()
    return {"identity_between_within": ratio, "identity_mm": error}


def _landmarks(paths: Paths, ask: Predictor, batches: Sequence[Batch], kind: str) -> dict[str, float]:
    """Test F: distance to landmarks in percent of the distance between the outer corners of the eyes."""
    errors = []
    for batch in batches:
        if "mediapipe_478" not in batch.landmarks:
            return {}
        mine, wanted = paths.face.mesh(ask(batch)).landmarks["mediapipe_478"], batch.landmarks["mediapipe_478"]
        eyes = (wanted[:, 33] - wanted[:, 263]).norm(dim=-1).clamp_min(0.1)
        trust = batch.trust.get("mediapipe_478", torch.ones(len(batch)))
        trust = trust.float() if trust.ndim == 2 else trust.float()[:, None].expand(-1, wanted.shape[1])
        apart = (mine - wanted).norm(dim=-1) / eyes[:, None]
        errors.append(((apart * trust).sum() / trust.sum().clamp_min(1)).item())
    return {f"landmarks_{kind}_percent": 100 * float(np.mean(errors))}


def _jitter(paths: Paths, ask: Predictor, batch: Batch, frames: int = 8) -> dict[str, float]:
    """Test H: one photo with a camera's noise, again and again; how far do vertices move that should stand still?
    And a made clip of a smooth turn: the jerk of its vertices over that of the truth."""
    dice, keep = torch.Generator().manual_seed(1), torch.as_tensor(paths.face.model.regions["face"])
    image = batch.image[:4].repeat_interleave(frames, 0)
    noisy = (image + 4 / 255 * torch.randn(image.shape, generator=dice)).clamp(0, 1)
    still = paths.face.mesh(ask(replace(batch, image=noisy, truth={}))).vertices[:, keep]
    spread = still.reshape(4, frames, -1, 3).std(1).norm(dim=-1).mean().item()
    ends = random_groups(paths.face.model, 2, dice)
    way = 0.5 - 0.5 * torch.cos(torch.linspace(0, torch.pi, 24))[:, None]
    groups = {k: v[:1] + way * (v[1:] - v[:1]) for k, v in ends.items() if k != "identity"}
    groups["identity"] = ends["identity"][:1].expand(24, -1)
    looks = torch.Generator().manual_seed(2)
    clip = plain_batch(paths.face, 24, looks, groups=groups)
    ground = clip.image[:1, :, :, :1].expand_as(clip.image)  # one ramp for all frames
    drawn = paths.face.render(paths.face.mesh(groups), groups["camera"])
    clip = replace(clip, image=torch.where(drawn.mask, drawn.image, ground))
    found = paths.face.mesh(ask(clip)).vertices[:, keep].numpy()
    true = paths.face.mesh(groups).vertices[:, keep].numpy()
    return {"noise_mm": 1000 * spread, "jerk_to_truth": measures.jerk(found) / max(measures.jerk(true), 1e-9)}


def _occlusion(paths: Paths, ask: Predictor, batches: Sequence[Batch]) -> dict[str, float]:
    """Test I: a grey bar over the lower half of the face."""
    covered, open_ = [], []
    for batch in batches[:4]:
        image, size = batch.image.clone(), batch.image.shape[-1]
        image[:, :, size * 55 // 100 : size * 80 // 100] = 0.5
        open_.append(ask(batch)["expression"].numpy())
        covered.append(ask(replace(batch, image=image))["expression"].numpy())
    return {"exaggeration_when_covered": measures.exaggeration(np.concatenate(covered), np.concatenate(open_))}


def _cycle(paths: Paths, batch: Batch) -> dict[str, float]:
    """Test D: expressions drawn on the head found again, in pictures of another renderer (NumPy) than that of training,
    and of the generator where there is one. 1 would be no better than a constant answer."""
    dice = torch.Generator().manual_seed(3)
    groups = random_groups(paths.face.model, len(batch), dice)
    spread = groups["expression"].var().item()
    width = paths.encode(batch.image[:1])["expression"].shape[1]
    mesh = paths.face.mesh(groups)
    drawn = paths.face.render(mesh, groups["camera"])
    own = torch.where(drawn.mask, drawn.image, 0.35)
    other = torch.stack(
        [numpy_picture(paths.face, p.numpy(), v.numpy()) for p, v in zip(drawn.projected, mesh.vertices, strict=True)]
    )

    def lost(image: Tensor) -> float:
        return (paths.encode(image)["expression"] - groups["expression"][:, :width]).square().mean().item() / spread

    out = {"cycle_own_renderer": lost(own), "cycle_other_renderer": lost(other)}
    if paths.generator is not None and paths.augment is not None:
        found = paths.analyse(batch.image)
        changed, _, again = paths.cycle(batch, found, train_generator=False, generator=dice)
        terms = losses.cycle_loss(again, changed.groups, identity=True)
        out["cycle_generator"] = terms["cycle_expression"].item() / changed.groups["expression"].var().item()
        out["cycle_identity"] = terms["cycle_identity"].item()
    return out


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Figures as a Markdown table: one row each, one column a predictor."""
    names = list(dict.fromkeys(k for values in results.values() for k in values))
    lines = ["| figure | " + " | ".join(results) + " |", "|---|" + "---:|" * len(results)]
    for name in names:
        cells = [f"{v[name]:.3g}" if name in v and np.isfinite(v[name]) else "–" for v in results.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def save(results: Mapping[str, Mapping[str, float]], folder: Path, notes: Sequence[str] = (), **facts: Any) -> str:
    """Write ``evaluation.md`` and ``evaluation.json`` with notes and facts beside the figures; returns the table.

    Raises:
        ExportError: the folder cannot be written.
    """
    text = table(results) + "".join(f"\n{note}\n" for note in notes)
    content = json.dumps(facts | {"notes": list(notes), "results": _clean(results)}, indent=1) + "\n"
    for name, words in (("evaluation.md", text), ("evaluation.json", content)):
        with atomic(folder / name) as path:
            path.write_text(words, encoding="utf-8")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("encoder", type=Path, help="a run, a checkpoint, or an encoder file")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for evaluation.md and evaluation.json")
    parser.add_argument("--source", default="plain", help="made faces with truth")
    parser.add_argument("--options", default="{}", help="of that source, as JSON")
    parser.add_argument("--faces", type=Path, help="real faces, a folder of training.data.prepare")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--size", type=int, default=IMAGE_SIZE, help="pixels, for an encoder file")
    parser.add_argument("--render-steps", type=int, default=0, help="teach a new neural renderer so long, and judge it")
    parsed = parser.parse_args(arguments)
    faces = {"sets": [{"kind": "prepared", "path": str(parsed.faces)}]} if parsed.faces else None
    notes: list[str] = []
    try:
        paths, options = load_paths(parsed.encoder, parsed.size), json.loads(parsed.options)
        results = evaluate(
            paths, source=parsed.source, options=options, faces=faces, count=parsed.count,
            render_steps=parsed.render_steps, notes=notes,
        )  # fmt: skip
        text = save(results, parsed.out, notes, encoder=parsed.encoder.name, source=parsed.source, count=parsed.count)
    except (SmirkError, json.JSONDecodeError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _clean(results: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """JSON knows no NaN."""
    return {n: {k: v if np.isfinite(v) else None for k, v in values.items()} for n, values in results.items()}


if __name__ == "__main__":
    sys.exit(main())
