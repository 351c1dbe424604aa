# SPDX-License-Identifier: Apache-2.0
"""Measure where the detector's points sit on the head and write ``smirk_core/heads/open_head_landmarks.npz``.

    python -m training.landmarks.embed [--identities 64] [--portraits FOLDER] [--rounds 3]

Two sources. Renders have known truth, open mouths, closed eyes and turned heads, so they say where on the surface a
point is. Real portraits say where the detector sees real brows, lids and lips: the head is fitted to their landmarks,
faces at rest held at rest, and points move along the surface to what is left over.
Everything is used with its mirror image, so that the embedding is symmetric. Nothing of ``faces/eval`` is read.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head

from ..data.detection import PictureDetector
from ..data.expressions import sample_expressions
from ..data.fit import PictureFitter
from ..data.mediapipe_points import BROWS, EYES, IBUG_68, LIPS, OVAL, mirror_permutation
from ..data.renders import Sitter, head_turn, photograph
from ..data.symmetry import vertex_partners
from .eyeballs import iris_places
from .surface import Places, Views, find_places

__all__ = ["EMBEDDING_PATH", "main"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
EMBEDDING_PATH = OPEN_HEAD_PATH.parents[1] / "heads" / "open_head_landmarks.npz"
_SKIN = 468
_FINE = np.union1d(np.union1d(BROWS, EYES), LIPS[:20])
_INNER_LIPS = LIPS[20:]  # shut in every portrait at rest: only open mouths, rendered, show where they are


def render_views(head: Path, seed: int, identities: int, views: int) -> Views:
    """Detections on renders of random people: frontal to turned, calm, expressive, mouth open, eyes closed."""
    model = load_open_head(head)
    rng = np.random.default_rng(seed)
    meshes, points, scales = [], [], []
    with PictureDetector("facemesh") as facemesh:
        for _ in range(identities):
            sitter = Sitter.random(model, rng, 0.8)
            for weights in sample_expressions(rng, views):
                turn = head_turn(rng, 35, 12, 3)
                shot = photograph(model, sitter, weights, turn, rng, perspective=False, supersample=2)
                found = facemesh(shot.picture)
                if found is not None:
                    meshes.append(shot.mesh[:, :2])
                    points.append(found[:, :2])
                    scales.append(shot.groups["camera"][0, 0])
    return Views(np.array(meshes, np.float32), np.array(points, np.float32), np.array(scales, np.float32))


def allowed_triangles(model: HeadModel) -> npt.NDArray[np.bool_]:
    """(F,) skin that faces forward: no eyeballs, teeth, tongue, lashes, mouth cavity, back of the head."""
    names = model.material_names
    skin = [i for i, n in enumerate(names) if "skin" in n or "lip" in n]
    allowed = np.isin(model.polygon_materials[model.triangle_polygons], skin)
    for region in ("mouth_interior", "ears"):
        if region in model.regions:
            allowed &= ~model.regions[region][model.triangles].all(1)
    corners = model.template[model.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return allowed & (normal[:, 2] > -0.35 * np.linalg.norm(normal, axis=1))


def same_side(model: HeadModel, places: Places) -> npt.NDArray[np.bool_]:
    """(L, F) triangles on the same lip or lid as each point, near it.

    The jaw separates the lips and a blink the lids: what moves with the one is not searched for the other.
    """
    corners = model.triangles
    moving = np.concatenate([model.skinning_weights[:, 2:3], np.linalg.norm(model.eyelid_basis, axis=2).T], axis=1)
    moving[:, 1:] /= moving[:, 1:].max(0)
    label = moving[corners].mean(1)  # (F, 3)
    centre = model.template[corners].mean(1)
    mine = places.triangles
    near = np.linalg.norm(centre[None] - centre[mine][:, None], axis=2) < 0.012
    return near & (np.abs(label[None] - label[mine][:, None]) < 0.35).all(2)


def portrait_landmarks(folder: Path, limit: int) -> Floats:
    """(N, 478, 3) detections on real portraits, spread over the folder."""
    files = sorted(folder.glob("*.jpg"))
    files = files[:: max(1, len(files) // limit)]
    points = []
    with PictureDetector("facemesh") as detector:
        for file in files:
            found = detector(np.asarray(Image.open(file).convert("RGB")))
            if found is not None:
                points.append(found)
    return np.array(points)


def at_rest(points: Floats) -> npt.NDArray[np.bool_]:
    """(N,) portraits whose mouth is shut and not smiling, by the detected points (N, 478, 3) alone.

    Opening between the inner lips, and height of the mouth's corners over its middle, both by the distance of the
    outer eye corners.
    """
    unit = np.linalg.norm(points[:, 33, :2] - points[:, 263, :2], axis=1)
    up = points[:, 152, :2] - points[:, 10, :2]
    up /= -np.linalg.norm(up, axis=1, keepdims=True)
    opening = np.linalg.norm(points[:, 13, :2] - points[:, 14, :2], axis=1) / unit
    corners = (points[:, 61, :2] + points[:, 291, :2]) / 2 - (points[:, 13, :2] + points[:, 14, :2]) / 2
    raised = (corners * up).sum(1) / unit
    return (opening < 0.03) & (raised < 0.035)


def portrait_views(model: HeadModel, embedding: LandmarkEmbedding, points: Floats) -> tuple[Views, Floats]:
    """The head fitted to faces at rest, all expression held at zero and brows unheard; also the identities.

    What identity cannot explain on faces at rest is where the detector really puts its points, and so the fit of a
    neutral face will be neutral.
    """
    fitter = PictureFitter(model, embedding, held=("expression", "eyelids", "jaw"), distrusted=BROWS)
    fits = [fitter(p) for p in points]
    good = [i for i, f in enumerate(fits) if f.error < 0.006]
    meshes = np.array([fits[i].mesh(model)[:, :2] for i in good], np.float32)
    scales = np.array([fits[i].groups["camera"][0, 0] for i in good], np.float32)
    identity = np.array([fits[i].groups["identity"][0] for i in good])
    return Views(meshes, points[good, :, :2].astype(np.float32), scales), identity


def as_embedding(model: HeadModel, places: Places) -> LandmarkEmbedding:
    """Places of the 468 skin points with the irises added; trust is one over the spread."""
    iris = iris_places(model)
    spread = np.concatenate([np.maximum(places.spread, 4e-4), iris.spread])
    weight = 1 / spread
    return LandmarkEmbedding(
        triangles=np.concatenate([places.triangles, iris.triangles]).astype(np.int32),
        barycentric=np.concatenate([places.barycentric, iris.barycentric]).astype(np.float32),
        weight=(weight / weight.mean()).astype(np.float32),
    )


def with_irises(model: HeadModel, embedding: LandmarkEmbedding) -> LandmarkEmbedding:
    """An embedding with its irises placed anew: for another mesh of the eyes behind the same skin."""
    iris = iris_places(model)
    triangles, barycentric = embedding.triangles.copy(), embedding.barycentric.copy()
    triangles[_SKIN:], barycentric[_SKIN:] = iris.triangles, iris.barycentric
    return LandmarkEmbedding(triangles, barycentric.astype(np.float32), embedding.weight)


def save(embedding: LandmarkEmbedding, path: Path = EMBEDDING_PATH) -> None:
    """Write all three sets; the file appears whole or not at all."""
    arrays = {}
    sets = {"mediapipe_478": np.arange(478), "mediapipe_105": np.array(MEDIAPIPE_105), "ibug_68": IBUG_68}
    for name, index in sets.items():
        weight = embedding.weight[index]
        arrays[f"{name}/triangles"] = embedding.triangles[index]
        arrays[f"{name}/barycentric"] = embedding.barycentric[index]
        arrays[f"{name}/weight"] = weight / weight.mean()
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def report(places: Places, title: str) -> None:
    """Median spread per part, millimetres."""
    rest = np.setdiff1d(np.arange(_SKIN), np.concatenate([_FINE, OVAL]))
    parts = {"brows": BROWS, "eyes": EYES, "lips": LIPS, "oval": OVAL, "rest": rest}
    text = ", ".join(f"{n} {1e3 * np.median(places.spread[i]):.2f}" for n, i in parts.items())
    print(f"{title}: spread (mm) {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the landmark embedding of the open head.")
    parser.add_argument("--identities", type=int, default=64)
    parser.add_argument("--views", type=int, default=10, help="pictures per identity")
    parser.add_argument("--portraits", type=Path, default=None, help="folder of real training portraits")
    parser.add_argument("--portrait-limit", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--head", type=Path, default=OPEN_HEAD_PATH)
    parser.add_argument("-o", "--output", type=Path, default=EMBEDDING_PATH)
    parser.add_argument("--irises-only", action="store_true", help="keep the skin's points, place only the irises")
    options = parser.parse_args()

    model = load_open_head(options.head)
    if options.irises_only:
        save(with_irises(model, model.landmarks["mediapipe_478"]), options.output)
        return
    vertex_partner, point_partner = vertex_partners(model), mirror_permutation()
    with ProcessPoolExecutor(options.processes) as pool:
        share = options.identities // options.processes
        jobs = [pool.submit(render_views, options.head, s, share, options.views) for s in range(options.processes)]
        renders = jobs[0].result()
        for job in jobs[1:]:
            renders = renders.joined(job.result())
    print(f"{len(renders.scale)} renders with a face")
    renders = renders.joined(renders.mirrored(vertex_partner, point_partner))
    skin = Views(renders.mesh, renders.points[:, :_SKIN], renders.scale)
    places = find_places(skin, model.triangles, allowed_triangles(model))
    report(places, "renders")
    renders_alone = places
    embedding = as_embedding(model, places)
    if options.portraits is not None:
        points = portrait_landmarks(options.portraits, options.portrait_limit)
        calm = at_rest(points)
        print(f"{len(points)} portraits with a face, {calm.sum()} at rest")
        points = points[calm]
        for round_number in range(options.rounds):
            real, identity = portrait_views(model, embedding, points)
            real = real.joined(real.mirrored(vertex_partner, point_partner))
            real = Views(real.mesh, real.points[:, :_SKIN], real.scale)
            nearby = same_side(model, places) & allowed_triangles(model)
            both = find_places(skin.joined(real), model.triangles, nearby)
            fine = find_places(real, model.triangles, nearby)
            pick = np.isin(np.arange(_SKIN), _FINE)
            moved = _at(model, fine) - _at(model, places)
            places = Places(
                np.where(pick, fine.triangles, both.triangles),
                np.where(pick[:, None], fine.barycentric, both.barycentric),
                np.where(pick, np.maximum(fine.spread, renders_alone.spread), both.spread),
            )
            report(places, f"portraits, round {round_number + 1}")
            drift = np.abs(np.median(identity, axis=0))
            up = {n: 1e3 * float(np.median(moved[i, 1])) for n, i in (("brows", BROWS), ("eyes", EYES), ("lips", LIPS))}
            print(f"  moved up (mm): {up}; median identity up to {drift.max():.2f} sd", flush=True)
            inner = np.isin(np.arange(_SKIN), _INNER_LIPS)
            places = Places(
                np.where(inner, renders_alone.triangles, places.triangles),
                np.where(inner[:, None], renders_alone.barycentric, places.barycentric),
                np.where(inner, renders_alone.spread, places.spread),
            )
            embedding = as_embedding(model, places)
    save(embedding, options.output)
    print(f"wrote {options.output}")


def _at(model: HeadModel, places: Places) -> Floats:
    """(L, 3) metres on the mean head."""
    return (model.template[model.triangles[places.triangles]] * places.barycentric[..., None]).sum(1)


if __name__ == "__main__":
    main()
