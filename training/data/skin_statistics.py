# SPDX-License-Identifier: Apache-2.0
"""Measure what skin is like over the head, from fitted portraits: the statistic behind textures from photographs.

    python -m training.data.skin_statistics FITS.npz FACES -o smirk_core/assets/skin_prior.npz

Only averages over hundreds of people are written: a mean colour and a few smooth modes at the head's vertices, made
symmetric. Portraits without colour are left out. Light is taken off each portrait with the statistic of the round
before. Where no portrait shows skin (scalp, nape) the statistic continues smoothly.

Method: weighted PCA by alternating least squares (Tipping and Bishop 1999), since every portrait shows another part.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head
from smirk_core.rendering.photo_texture.colour import brightness, to_log
from smirk_core.rendering.photo_texture.light import fit_light
from smirk_core.rendering.photo_texture.skin_prior import SkinPrior, flat_prior
from smirk_core.rendering.photo_texture.surface import SkinSurface, skin_surface
from smirk_core.rendering.photo_texture.view import PhotoView, look

from .fit_portraits import GROUPS, load_fits

__all__ = ["skin_statistics"]

Floats = npt.NDArray[np.floating[Any]]
_SIZE = 192  # px of the texture over which a portrait is averaged at the vertices
_MODES = 10
_ROUNDS = 3
_GREY = 0.03  # spread of the channels below which a portrait has no colour
_HOME = 5e-3  # how soon what continues returns to the plain tone
_SMOOTH = 2  # rings over which modes are smoothed


def _read(surface: SkinSurface, picture: Path, groups: dict[str, Floats]) -> tuple[Floats, Floats, Floats] | None:
    """Colours (V, 3), trust (V,) and normals (V, 3) of one portrait."""
    try:
        with Image.open(picture) as file:
            pixels = np.asarray(file.convert("RGB"))
        vertices = decode(surface.model, {k: v[None] for k, v in groups.items()}).vertices[0]
        sight = look(surface, PhotoView(pixels, vertices, groups["camera"]))
    except (OSError, SmirkError):
        return None
    place, weight = sight.trust(surface, surface.corners, surface.shares)
    log = to_log(sight.colour(place))
    means, mass = surface.means(log, weight)
    middle = means[mass > 0.5]
    if len(middle) < 300 or float((middle - brightness(middle)[:, None]).std(axis=0).max()) < 1e-6:
        return None
    if float(np.abs(np.median(middle[:, 0] - middle[:, 2]))) < _GREY:
        return None
    return means, mass, sight.normals


def skin_statistics(
    model: HeadModel, fits: Path, faces: Path, limit: int | None = None, names: set[str] | None = None
) -> dict[str, Any]:
    """The arrays of the statistic: places, mean, modes, scale, people.

    Raises:
        TrainingError: too few portraits can be used.
    """
    rows = load_fits(fits, model)
    used = np.flatnonzero(rows["reason"] == 0)
    if names is not None:
        used = np.array([i for i in used if str(rows["name"][i]) in names], np.int64)
    if limit is not None and limit < len(used):
        used = used[np.linspace(0, len(used) - 1, limit).astype(int)]
    surface = skin_surface(model, _SIZE)
    read = [
        _read(surface, faces / str(rows["name"][i]), {n: rows[n][i].astype(np.float64) for n in GROUPS}) for i in used
    ]
    people = [r for r in read if r is not None]
    if len(people) < 3 * _MODES:
        raise TrainingError(f"Only {len(people)} portraits of {fits} show skin in colour; {3 * _MODES} are needed.")
    prior = flat_prior(surface)
    loose = np.maximum(surface.rim, surface.region("ears", "neck"))
    for number in range(_ROUNDS):
        colours, trust = [], []
        for means, mass, normals in people:
            light, skin = fit_light(means, normals, mass * surface.typical, prior)
            colours.append(means - light)
            trust.append(mass * _like_skin(means - light - skin, loose))
        prior = _principal(surface, np.stack(colours), np.stack(trust), _MODES if number else 0)
        print(f"round {number + 1} of {_ROUNDS}: {len(people)} portraits", flush=True)
    numbers = np.flatnonzero(surface.skin)
    scale = np.abs(prior.modes[:, numbers]).max(axis=(1, 2))
    return {
        "places": surface.frame[numbers].astype(np.float16),
        "mean": prior.mean[numbers].astype(np.float16),
        "modes": np.rint(prior.modes[:, numbers] / scale[:, None, None] * 127).astype(np.int8),
        "scale": scale.astype(np.float32),
        "people": np.array(len(people)),
    }


def _like_skin(difference: Floats, loose: Floats) -> Floats:
    """(V,) trust in places whose colour differs from the likely one; at the rim hair, walls and collars are usual."""
    bright = brightness(difference)
    hue = np.sqrt(((difference - bright[:, None]) ** 2).mean(axis=1))
    inner = 1 / (1 + (difference**2).mean(axis=1) / 0.3)
    outer = np.exp(-((bright / 0.3) ** 4) - (hue / 0.07) ** 4)
    return inner * (1 - loose) + outer * loose


def _principal(surface: SkinSurface, colours: Floats, trust: Floats, count: int) -> SkinPrior:
    """Mean and modes of colours (N, V, 3) with trust (N, V), symmetric, continued where there is none."""
    order = surface.mirror
    # Collars, hair and walls are never all sorted out: around the face the statistic continues what is within.
    inner = surface.skin * (1 - np.maximum(surface.rim, surface.region("ears", "neck")))
    # Every portrait's own tone first: the mean is of the pattern, and the tone is free in every fit.
    tones = np.stack(
        [np.average(c, axis=0, weights=w * surface.plain + 1e-9) for c, w in zip(colours, trust, strict=True)]
    )
    pattern = colours - tones[:, None]
    total = trust.sum(axis=0)
    mean = (trust[..., None] * pattern).sum(axis=0) / np.maximum(total, 1e-9)[:, None]
    mean = surface.spread(mean, np.minimum(total / 30, 1.0) * 10 * inner, home=_HOME)
    if order is not None:
        mean = (mean + mean[order]) / 2
    rest = np.concatenate([pattern - mean, (pattern - mean)[:, order]]) if order is not None else pattern - mean
    w = np.concatenate([trust, trust[:, order]]) if order is not None else trust
    modes = np.zeros((0, len(mean), 3))
    if count:
        rng = np.random.default_rng(0)
        modes = rng.normal(0, 0.1, (count, len(mean), 3))
        for _ in range(25):
            flat = modes.reshape(count, -1)
            heavy = np.repeat(w, 3, axis=1)
            left = np.einsum("nv,kv,lv->nkl", heavy, flat, flat, optimize=True) + 4.0 * np.eye(count)
            right = np.einsum("nv,kv->nk", heavy * rest.reshape(len(rest), -1), flat)
            scores = np.linalg.solve(left, right[..., None])[..., 0]
            scores /= np.maximum(scores.std(axis=0), 1e-9)
            gram = np.einsum("nv,nk,nl->vkl", w, scores, scores, optimize=True) + 3.0 * np.eye(count)
            aim = np.einsum("nv,nvc,nk->vkc", w, rest, scores, optimize=True)
            modes = np.linalg.solve(gram, aim).transpose(1, 0, 2)
            wide = modes.transpose(1, 0, 2).reshape(len(mean), -1)
            wide = surface.smoothed(wide, _SMOOTH) * surface.skin[:, None]
            modes = wide.reshape(len(mean), count, 3).transpose(1, 0, 2)
        wide = modes.transpose(1, 0, 2).reshape(len(mean), -1)
        wide = surface.spread(wide, 10.0 * inner, home=_HOME)
        modes = wide.reshape(len(mean), count, 3).transpose(1, 0, 2)
        strength = np.linalg.norm(modes.reshape(count, -1), axis=1)
        modes = modes[np.argsort(-strength)]
    return SkinPrior(mean + np.median(tones, axis=0), modes)


def _names(path: Path | None) -> set[str] | None:
    return None if path is None else set(path.read_text(encoding="utf-8").split())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure skin colours over the head from fitted portraits.")
    parser.add_argument("fits", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--names", type=Path, help="text file, one portrait a line: use only these")
    given = parser.parse_args()
    arrays = skin_statistics(load_open_head(OPEN_HEAD_PATH), given.fits, given.faces, given.limit, _names(given.names))
    working = given.output.with_name(f".{given.output.name}.{os.getpid()}.tmp.npz")
    try:
        np.savez_compressed(working, **arrays)
        working.replace(given.output)
    finally:
        working.unlink(missing_ok=True)
    print(f"{given.output}: {int(arrays['people'])} people, {given.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
