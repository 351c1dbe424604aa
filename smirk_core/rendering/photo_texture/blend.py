# SPDX-License-Identifier: Apache-2.0
"""One texture of a head from one or several photos.

Each photo gives a layer: colours of the texels that it shows, with the light, glare and what is not skin taken off,
and a trust. Their tones are matched on the mesh, their detail is blended band by band; what none shows comes from the
other half of the face, and last from the statistic of skin, bent smoothly to meet what is known, with pores.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import TakeError
from ...heads.head_model import HeadModel
from ...progress import Progress, silent
from .colour import brightness, from_log, to_bytes, to_log
from .light import fit_light, soft_shadow
from .outliers import occluded, without_glare
from .skin_prior import SkinPrior, skin_prior
from .surface import SkinSurface, carry, skin_surface, step
from .texture_grid import blend_bands, mirror_places, padded, pores, sampled, scattered
from .view import PhotoView, look

__all__ = ["PhotoTexture", "TextureOptions", "blend_photos", "blend_photos_steps", "project_photo"]

Floats = npt.NDArray[np.floating[Any]]
_SHADOW = 0.6  # share of the smooth rest of the light that is taken off
_CONTRAST = 3.0  # power of the weights in fine detail: the best photo of a place wins
_MIRRORED = 0.35  # trust in the other half's tone against the own
_ODD = 0.2  # log units from the likely skin at which a place says little about its surroundings
_HOME = 3e-3  # how soon the fill forgets the photo for the statistic: within some ten rings of vertices


@dataclass(frozen=True)
class TextureOptions:
    """How a texture is made.

    Attributes:
        mirror: fill what is hidden from the other half of the face.
        light: how much of the light is taken off, 0 (none) .. 1.
        glare: take highlights off.
        brows: keep the photo's brows in the texture; without them there is skin, for a head with brows of its own.
        occluders: leave out hair, glasses and whatever else is not skin.
    """

    mirror: bool = True
    light: float = 1.0
    glare: bool = True
    brows: bool = True
    occluders: bool = True


@dataclass(frozen=True)
class PhotoTexture:
    """A texture and where it is from.

    Attributes:
        image: (S, S, 3) uint8 sRGB, top row first: v of the UVs runs up.
        coverage: (S, S) float32, 1 where a photo shows the skin itself or its mirror image, 0 where it is filled.
        seen: (S, S) float32, the same without mirror images.
        weights: (K, S, S) float32, the share of each photo in what is seen; sums to 1 there, 0 elsewhere.
        tone: (3,) float, sRGB in 0..1, the median colour of the skin seen.
    """

    image: npt.NDArray[np.uint8]
    coverage: npt.NDArray[np.float32]
    seen: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    tone: Floats


@dataclass(frozen=True)
class _Layer:
    """What one photo says: colours (T, 3), trust (T,), means (V, 3) and the share of them that is trusted (V,)."""

    log: Floats
    weight: Floats
    means: Floats
    mass: Floats
    detail: float


def project_photo(
    model: HeadModel,
    vertices: Floats,
    camera: Floats,
    picture: npt.NDArray[np.uint8],
    *,
    size: int = 1024,
    mirror: bool = True,
) -> PhotoTexture:
    """Paint the texture of a head from a single picture; see :func:`blend_photos`."""
    return blend_photos(
        model, [PhotoView(picture, vertices, camera)], size=size, options=TextureOptions(mirror=mirror)
    )  # fmt: skip


def blend_photos(
    model: HeadModel,
    views: Sequence[PhotoView],
    *,
    size: int = 1024,
    options: TextureOptions | None = None,
    prior: SkinPrior | None = None,
    progress: Progress = silent,
) -> PhotoTexture:
    """Paint the texture of a head from pictures that show it.

    Args:
        model: the head, with UVs.
        views: pictures of one person, each with the head fitted to it.
        size: pixels of the square texture.
        options: what is taken off and filled in.
        prior: what skin is like; the bundled statistic where not given.
        progress: called after every picture; may raise Cancelled.

    Raises:
        TakeError: the head has no UVs, there is no picture, or nothing of the skin is seen in any.
    """
    steps = blend_photos_steps(model, views, size=size, options=options, prior=prior)
    while True:
        try:
            progress(*next(steps))
        except StopIteration as stop:
            return stop.value


def blend_photos_steps(
    model: HeadModel,
    views: Sequence[PhotoView],
    *,
    size: int = 1024,
    options: TextureOptions | None = None,
    prior: SkinPrior | None = None,
) -> Generator[tuple[str, int, int], None, PhotoTexture]:
    """As :func:`blend_photos` in steps, giving (what is done, steps done, of how many) before each."""
    options = options or TextureOptions()
    if not views:
        raise TakeError("There is no picture to take skin from.")
    if size < 16:
        raise TakeError(f"A texture of {size} pixels shows nothing: use 16 or more.")
    surface = skin_surface(model, size)
    prior = skin_prior(surface) if prior is None else prior
    if not options.brows:
        prior = _browless(surface, prior)
    layers: list[_Layer] = []
    numbers: list[int] = []
    for number, view in enumerate(views):
        yield "Taking skin from photos", number, len(views)
        layer = _layer(surface, prior, view, options)
        if layer is not None:
            layers.append(layer)
            numbers.append(number)
    if not layers:
        raise TakeError("Nothing of the face is seen in this frame: choose another one.")
    layers = _agreeing(surface, _matched(surface, layers, prior), prior)
    yield "Blending", len(views), len(views)
    base = _base(surface, layers, prior, options.mirror)
    at = carry(base, surface.corners, surface.shares)
    trust = np.stack([layer.weight for layer in layers])
    alpha = trust.max(axis=0)
    fine = [(layer.weight * layer.detail) ** _CONTRAST for layer in layers]
    total = np.maximum(sum(fine[1:], fine[0]), 1e-12)
    detail = sampled(
        blend_bands(
            # What is hardly trusted must not reach its neighbours through the coarse bands.
            [scattered(surface, (layer.log - at) * step(0.0, 0.3, layer.weight)[:, None]) for layer in layers],
            [scattered(surface, (f / total * alpha)[:, None])[..., 0] for f in fine],
        ),
        surface.texels,
    )
    detail = detail * alpha[:, None]
    covered = alpha
    if options.mirror and (places := mirror_places(surface)) is not None:
        both = scattered(surface, np.concatenate([detail, alpha[:, None]], axis=1))
        other = sampled(both, places)
        detail = detail + (1 - alpha)[:, None] * other[:, :3]
        covered = alpha + (1 - alpha) * other[:, 3]
    detail = detail + ((1 - covered) * pores(surface) * _grain(surface, detail, alpha))[:, None]
    light = from_log(at + detail)
    image = padded(surface, scattered(surface, to_bytes(light)))
    seen = alpha > 0.6 * float(alpha.max())
    plain = seen & (carry(surface.plain, surface.corners, surface.shares) > 0.5)
    tone = np.median(to_bytes(light[plain if plain.sum() > 20 else seen]), axis=0)
    shares = np.zeros((len(views), size, size), np.float32)
    for number, f in zip(numbers, fine, strict=True):
        shares[number] = scattered(surface, (f / total * (alpha > 0.02))[:, None])[..., 0]
    return PhotoTexture(
        np.clip(np.rint(image), 0, 255).astype(np.uint8), scattered(surface, covered[:, None])[..., 0],
        scattered(surface, alpha[:, None])[..., 0], shares, tone / 255,
    )  # fmt: skip


def _browless(surface: SkinSurface, prior: SkinPrior) -> SkinPrior:
    """The statistic with skin where it has brows."""
    count = len(prior.modes)
    every = np.concatenate([prior.mean[None], prior.modes]).transpose(1, 0, 2).reshape(len(surface.skin), -1)
    weight = np.where(surface.brows > 0.3, 0.0, 50.0)
    smooth = surface.spread(every, weight, home=0.0).reshape(-1, count + 1, 3).transpose(1, 0, 2)
    near = step(0.1, 0.5, surface.brows)[:, None]
    mean = prior.mean + near * (smooth[0] - prior.mean)
    return SkinPrior(mean, prior.modes + near * (smooth[1:] - prior.modes))


def _layer(surface: SkinSurface, prior: SkinPrior, view: PhotoView, options: TextureOptions) -> _Layer | None:
    """What a photo says, or None where it shows next to nothing."""
    sight = look(surface, view)
    place, weight = sight.trust(surface, surface.corners, surface.shares)
    if float(weight.max(initial=0.0)) < 0.05 or float((weight > 0.3).mean()) < 0.005:
        return None
    some = weight > 1e-3
    light = np.zeros((len(weight), 3), np.float32)
    light[some] = sight.colour(place[some])
    # One channel at its end is a tone; two are a lamp.
    weight = weight * (1 - step(0.93, 0.995, np.sort(light, axis=1)[:, 1]))
    log = to_log(light)
    means, mass = surface.means(log, weight)
    skin = prior.fit(means, mass)
    if options.light > 0:
        shade, skin = fit_light(means, sight.normals, mass * surface.typical, prior)
        shade = options.light * shade
        log = log - carry(shade, surface.corners, surface.shares)
        means = means - shade
        if options.light < 1:
            skin = prior.fit(means, mass)
    if options.occluders:
        weight = weight * (1 - occluded(surface, log, weight, skin, brows=options.brows))
    if not options.brows:
        weight = weight * (1 - carry(step(0.2, 0.6, surface.brows), surface.corners, surface.shares))
    if options.glare:
        log, weight = without_glare(surface, log, weight, skin)
    if float((weight > 0.3).mean()) < 0.005:
        return None
    means, mass = surface.means(log, weight)
    if options.light > 0:
        shadow = _SHADOW * options.light * soft_shadow(surface, means, mass, skin)
        log = log - carry(shadow, surface.corners, surface.shares)[:, None]
        means = means - shadow[:, None]
    return _Layer(log, weight.astype(np.float32), means, mass, sight.detail)


def _matched(surface: SkinSurface, layers: list[_Layer], prior: SkinPrior) -> list[_Layer]:
    """Layers with one exposure and white balance: that of the best, which the others join where they overlap."""
    order = sorted(range(len(layers)), key=lambda k: -float(layers[k].weight.sum()) * layers[k].detail)
    result: dict[int, _Layer] = {order[0]: layers[order[0]]}
    total = layers[order[0]].mass.copy()
    mean = layers[order[0]].means * total[:, None]
    for k in order[1:]:
        layer = layers[k]
        ours = mean / np.maximum(total, 1e-9)[:, None]
        both = np.minimum(total, layer.mass)
        difference = ours - layer.means
        if both.sum() < 20:  # hardly anything in common: match what the statistic makes of both
            difference = prior.fit(ours, total) - prior.fit(layer.means, layer.mass)
            both = np.full(len(both), 0.1) * surface.skin
        offset = np.median(difference[both > 0.3 * both.max()], axis=0)
        field = offset + surface.spread(
            np.clip(difference - offset, -0.4, 0.4), both * surface.plain, stiff=3.0, home=2e-3
        )
        result[k] = replace(
            layer, log=layer.log + carry(field, surface.corners, surface.shares), means=layer.means + field
        )
        mean += result[k].means * layer.mass[:, None]
        total += layer.mass
    return [result[k] for k in range(len(layers))]


def _agreeing(surface: SkinSurface, layers: list[_Layer], prior: SkinPrior) -> list[_Layer]:
    """Layers that trust less what the other photos, and the statistic with a small vote, contradict."""
    if len(layers) < 2:
        return layers
    masses = np.stack([layer.mass for layer in layers])
    mean = np.einsum("kv,kvc->vc", masses, np.stack([layer.means for layer in layers]))
    skin = prior.fit(mean / np.maximum(masses.sum(axis=0), 1e-9)[:, None], np.minimum(masses.sum(axis=0), 1.0))
    likely = brightness(carry(skin, surface.corners, surface.shares))
    bright = np.stack([brightness(layer.log) for layer in layers])
    weight = np.stack([layer.weight for layer in layers])
    vote, trust = weight.copy(), 0.15
    for _ in range(3):
        centre = ((vote * bright).sum(axis=0) + trust * likely) / (vote.sum(axis=0) + trust)
        off = bright - centre
        # Too bright is glare, and that moves with the view; too dark is shade or hair.
        vote = weight / (1 + (off / np.where(off > 0, 0.12, 0.2)) ** 2)
    return [
        replace(layer, weight=(layer.weight * np.clip(2 * v / np.maximum(w, 1e-6), 0, 1)).astype(np.float32))
        for layer, v, w in zip(layers, vote, weight, strict=True)
    ]


def _base(surface: SkinSurface, layers: list[_Layer], prior: SkinPrior, mirror: bool) -> Floats:
    """(V, 3) smooth skin over the whole head, meeting what is seen."""
    means = [surface.means(layer.log, layer.weight) for layer in layers]
    mass = np.stack([m for _, m in means])
    mean = np.einsum("kv,kvc->vc", mass, np.stack([m for m, _ in means])) / np.maximum(mass.sum(axis=0), 1e-9)[:, None]
    known = step(0.15, 0.7, mass.max(axis=0))  # what is left of an occluder says nothing, however little else is known
    skin = prior.fit(mean, known * surface.typical)
    left = mean - skin
    # The fill goes on from what is skin for sure, not from the rim of glasses or hair; the seen stays as it is.
    known = known / (1 + (left**2).sum(axis=1) / (3 * _ODD**2)) ** 2
    weight = known.copy()
    if mirror and (order := surface.mirror) is not None:
        other = _MIRRORED * known[order] * (1 - known)
        left = (weight[:, None] * left + other[:, None] * left[order]) / np.maximum(weight + other, 1e-9)[:, None]
        weight = weight + other
    return skin + surface.spread(left, weight, home=_HOME)


def _grain(surface: SkinSurface, detail: Floats, alpha: Floats) -> float:
    """Strength of the pores: as strong as the finest detail seen, by its median."""
    image = scattered(surface, brightness(detail)[:, None])[..., 0]
    fine = image[:, 2:-2] - 0.25 * (image[:, :-4] + image[:, 4:] + 2 * image[:, 2:-2])
    full = np.zeros_like(image)
    full[:, 2:-2] = fine
    plain = carry(surface.plain, surface.corners, surface.shares)
    chosen = full.ravel()[surface.texels][(alpha > 0.9) & (plain > 0.7)]
    return float(np.clip(1.48 * np.median(np.abs(chosen)) * 1.2, 0.005, 0.05)) if len(chosen) > 100 else 0.02
