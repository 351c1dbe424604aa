# SPDX-License-Identifier: Apache-2.0
"""The identity basis: adults sampled from MakeHuman's targets, without head pose, and their principal components.

The samples and their mirror images make one population, so the mean is symmetric and every component is either
symmetric or antisymmetric. The ranges are choices by eye, not anthropometry: they say what the basis can
express, not how people are distributed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .build_assembly import Assembly
from .build_makehuman import MakeHuman, load_target

__all__ = ["Identity", "Population", "build_identity", "build_population"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose", "asym")
_OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"),
)  # fmt: skip
# Whole-head motion is pose, not identity; lids that open or close belong to the eyelid group.
_SKIPPED = re.compile(r"head-(trans|angle)|neck-trans|measure-|asymm-")
_SPREAD, _HEAD_SPREAD, _SIDE_SPREAD, _ASYMMETRY = 0.25, 0.16, 0.06, 0.3


@dataclass(frozen=True)
class Population:
    """Linear recipe of faces: ``base`` (n, 3) + weights (N, T) . ``targets`` (T, n, 3), in source space."""

    base: Floats
    targets: npt.NDArray[np.float32]
    names: tuple[str, ...]

    def shapes(self, weights: Floats) -> Floats:
        """(N, T) weights to (N, n, 3) source vertices."""
        flat = self.targets.reshape(len(self.targets), -1)
        return self.base + (weights.astype(np.float32) @ flat).reshape(len(weights), *self.base.shape)


def _local_names(folder: Path) -> list[str]:
    names = []
    for name in _FOLDERS:
        for path in sorted((folder / "targets" / name).glob("*.target.gz")):
            if not _SKIPPED.search(path.name):
                names.append(f"{name}/{path.name.removesuffix('.target.gz')}")
    return names


def _macro_names() -> list[str]:
    names = []
    for gender in ("male", "female"):
        for age in ("child", "young", "old"):
            names += [f"macrodetails/{race}-{gender}-{age}" for race in ("african", "asian", "caucasian")]
            for muscle in ("min", "average", "max"):
                for weight in ("min", "average", "max"):
                    stem = f"{gender}-{age}-{muscle}muscle-{weight}weight"
                    names.append(f"macrodetails/universal-{stem}")
                    names += [f"macrodetails/height/{stem}-{h}height" for h in ("min", "max")]
                    names += [f"macrodetails/proportions/{stem}-{p}proportions" for p in ("ideal", "uncommon")]
    return names


def build_population(human: MakeHuman, source: Ints) -> Population:
    """Read every target that moves the head."""
    names, targets = [], []
    for name in (*_macro_names(), *_local_names(human.folder)):
        try:
            offset = load_target(human, name)[source]
        except AssetError:
            if name.startswith(("macrodetails/height", "macrodetails/proportions")):
                continue  # MakeHuman leaves out combinations that would be empty
            raise
        if np.abs(offset).max() > 1e-6:
            names.append(name)
            targets.append(offset.astype(np.float32))
    return Population(human.vertices[source], np.array(targets), tuple(names))


def sample_weights(population: Population, count: int, seed: int) -> Floats:
    """(count, T) target weights of adults: every sex and ancestry, ages from the end of the teens to old."""
    random = np.random.default_rng(seed)
    index = {name: i for i, name in enumerate(population.names)}
    weights = np.zeros((count, len(index)))

    def put(name: str, values: Floats) -> None:
        if name in index:
            weights[:, index[name]] += values

    # Macro targets multiply: sex x age x ancestry, and sex x age x muscle x weight.
    female = random.beta(0.5, 0.5, count)
    genders = {"male": 1 - female, "female": female}
    age = random.uniform(0.62, 1.0, count)  # child 1/3, young 2/3, old 1
    child, old = np.clip((2 / 3 - age) * 3, 0, 1), np.clip((age - 2 / 3) * 3, 0, 1)
    ages = {"child": child, "young": 1 - child - old, "old": old}
    races = dict(zip(("african", "asian", "caucasian"), random.dirichlet([0.5] * 3, count).T, strict=True))

    def three(spread: float) -> dict[str, Floats]:
        value: Floats = np.clip(random.normal(0, spread, count), -1.0, 1.0)
        return {"min": np.maximum(-value, 0.0), "average": 1.0 - np.abs(value), "max": np.maximum(value, 0.0)}

    muscles, masses = three(0.35), three(0.35)
    height = np.clip(random.normal(0, 0.1, count), -1, 1)  # far from 0 it would scale the whole head
    proportion = np.clip(random.normal(0, 0.3, count), -1, 1)
    for g, wg in genders.items():
        for a, wa in ages.items():
            for r, wr in races.items():
                put(f"macrodetails/{r}-{g}-{a}", wg * wa * wr)
            for m, wm in muscles.items():
                for k, wk in masses.items():
                    stem, product = f"{g}-{a}-{m}muscle-{k}weight", wg * wa * wm * wk
                    put(f"macrodetails/universal-{stem}", product)
                    put(f"macrodetails/height/{stem}-minheight", product * np.clip(-height, 0, 1))
                    put(f"macrodetails/height/{stem}-maxheight", product * np.clip(height, 0, 1))
                    put(f"macrodetails/proportions/{stem}-uncommonproportions", product * np.clip(-proportion, 0, 1))
                    put(f"macrodetails/proportions/{stem}-idealproportions", product * np.clip(proportion, 0, 1))

    # Local targets: opposites share one normal variable; left and right share most of it.
    done: dict[str, Floats] = {}
    for name in population.names:
        folder, _, stem = name.partition("/")
        if folder == "macrodetails":
            continue
        if folder == "asym":
            axis, _, side = stem.rpartition("-")
            if axis not in done:
                done[axis] = random.normal(0, _ASYMMETRY, count)
            put(name, np.clip(done[axis] if side == "l" else -done[axis], 0, 1))
            continue
        sided = stem.startswith(("l-", "r-"))
        shared, side = (stem[2:], stem[0]) if sided else (stem, "")
        sign, axis = 0, shared
        for low, high in _OPPOSITES:
            if shared.endswith(f"-{low}"):
                sign, axis = -1, shared.removesuffix(f"-{low}")
            elif shared.endswith(f"-{high}"):
                sign, axis = 1, shared.removesuffix(f"-{high}")
        if axis not in done:
            done[axis] = random.normal(0, _HEAD_SPREAD if folder == "head" else _SPREAD, count)
        value = done[axis]
        if sided:
            if axis + side not in done:
                done[axis + side] = value + random.normal(0, _SIDE_SPREAD, count)
            value = done[axis + side]
        put(name, np.clip(sign * value if sign else np.abs(value) * 0.4, 0, 1))
    return weights


def align(source: Floats, reference: Floats, skin: Floats, reference_skin: Floats) -> Floats:
    """Rotate and shift (N, n, 3) so that (N, m, 3) skin points lie best on the reference; no scaling."""
    middle, target = skin.mean(axis=1, keepdims=True), reference_skin.mean(axis=0)
    u, _, vt = np.linalg.svd(np.einsum("nki,kj->nij", skin - middle, reference_skin - target))
    turn = u * np.stack([np.ones(len(u)), np.ones(len(u)), np.linalg.det(u @ vt)], axis=1)[:, None] @ vt
    return (source - middle) @ turn + target


@dataclass(frozen=True)
class Identity:
    """Result: all in metres, in the frame of the mean (origin not yet moved).

    Attributes:
        template: (V, 3) mean; ``source``: (n, 3) the mean in source space, for placing expressions.
        basis: (K, V, 3) per standard deviation.
        centres: (2, 3) mean eye centres; ``radius``: mean radius.
        figures: measured facts about the fit.
    """

    template: Floats
    source: Floats
    basis: Floats
    centres: Floats
    radius: float
    figures: dict[str, float]


def _assembled(assembly: Assembly, population: Population, reference: Floats, count: int, seed: int) -> Floats:
    """(count, V, 3) float32 heads, aligned to the reference source vertices."""
    weights = sample_weights(population, count, seed)
    rigid = _skull(assembly)
    reference_skin = (assembly.layout.crop @ reference)[rigid]
    result = np.zeros((count, assembly.count, 3), np.float32)
    for start in range(0, count, 128):
        part = slice(start, start + 128)
        source = population.shapes(weights[part])
        source = align(source, reference, assembly.skin_of(source)[:, rigid], reference_skin)
        result[part] = assembly.assemble(source)[0]
    return result


def _skull(assembly: Assembly) -> Ints:
    """Skin vertices that define the pose of a head: face and skull without neck, ears and mouth."""
    layout = assembly.layout
    reference = layout.crop @ assembly.design
    centre = reference[layout.eye_rings[0][layout.first_lid]].mean(axis=0)
    above = reference[:, 1] > centre[1] - 0.085
    ahead = reference[:, 2] > centre[2] - 0.17
    ears = np.abs(reference[:, 0]) > 0.074
    return np.flatnonzero(above & ahead & ~ears)


def _split(vertices: Floats, mirror: Ints) -> tuple[Floats, Floats]:
    """Symmetric and antisymmetric halves of (N, V, 3)."""
    other = vertices[:, mirror] * np.array([-1, 1, 1], vertices.dtype)
    return (vertices + other) / 2, (vertices - other) / 2


def build_identity(
    assembly: Assembly, population: Population, components: int = 140, count: int = 4096, held_out: int = 512
) -> Identity:
    """Sample, align, decompose.

    Returns:
        The mean and ``components`` components by falling variance; ``figures`` holds the share of the variance of
        ``held_out`` further samples (skin) that they explain, and the error that stays, in millimetres.
    """
    reference = assembly.design
    first = sample_weights(population, 512, seed=5)
    rigid = _skull(assembly)
    for _ in range(3):  # the mean of aligned samples becomes the reference
        source = population.shapes(first)
        source = align(source, reference, assembly.skin_of(source)[:, rigid], (assembly.layout.crop @ reference)[rigid])
        mean = source.mean(axis=0)
        reference = mean
    samples = _assembled(assembly, population, reference, count, seed=11)
    skin = assembly.slices["skin"]
    even, odd = _split(samples, assembly.mirror)
    template = even.mean(axis=0, dtype=np.float64)
    even -= template.astype(np.float32)

    parts = []
    for half in (even, odd):
        x = half[:, skin].reshape(count, -1)
        gram = (x @ x.T).astype(np.float64) / count
        values, vectors = np.linalg.eigh(gram)
        order = np.argsort(values)[::-1][:components]
        scores = vectors[:, order] * np.sqrt(count)  # unit variance
        basis = (scores.T.astype(np.float32) @ half.reshape(count, -1)) / count
        parts.append((values[order], basis.reshape(components, assembly.count, 3)))
    values = np.concatenate([p[0] for p in parts])
    basis = np.concatenate([p[1] for p in parts]).astype(np.float64)
    best = np.argsort(-values, kind="stable")[:components]
    basis = basis[best]
    # Eigenvectors have no sign of their own: the largest coordinate is made positive.
    flat = basis[:, skin].reshape(components, -1)
    sign = np.sign(flat[np.arange(components), np.abs(flat).argmax(axis=1)])
    basis *= sign[:, None, None]

    figures = _held_out(assembly, population, reference, template, basis, held_out)
    mirrored = reference.copy()
    centres, radius = _eyes(template, assembly)
    return Identity(template, mirrored, basis, centres, radius, figures)


def _eyes(template: Floats, assembly: Assembly) -> tuple[Floats, float]:
    """(2, 3) centres and the mean radius, from the balls' white part."""
    centres, radii = [], []
    white = np.linalg.norm(assembly.ball, axis=1) < 1 + 1e-9
    for name, sign in (("left_eye", 1), ("right_eye", -1)):
        points, ball = template[assembly.slices[name]][white], assembly.ball[white] * [sign, 1, 1]
        radius = np.sqrt(((points - points.mean(0)) ** 2).sum() / ((ball - ball.mean(0)) ** 2).sum())
        centres.append((points - radius * ball).mean(axis=0))
        radii.append(radius)
    return np.array(centres), float(np.mean(radii))


def _held_out(
    assembly: Assembly, population: Population, reference: Floats, template: Floats, basis: Floats, count: int
) -> dict[str, float]:
    skin = assembly.slices["skin"]
    fresh = _assembled(assembly, population, reference, count, seed=101)[:, skin] - template[skin]
    flat = basis[:, skin].reshape(len(basis), -1)
    x = fresh.reshape(count, -1)
    scores = np.linalg.solve(flat @ flat.T, flat @ x.T).T
    rest = (x - scores @ flat).reshape(fresh.shape)
    distance = np.linalg.norm(rest, axis=2) * 1e3
    return {
        "held_out_samples": float(count),
        "held_out_variance": float(1 - (rest**2).sum() / (fresh**2).sum()),
        "held_out_error_mean_mm": float(distance.mean()),
        "held_out_error_p99_mm": float(np.percentile(distance, 99)),
        "mean_displacement_mm": float(np.linalg.norm(fresh, axis=2).mean() * 1e3),
    }
