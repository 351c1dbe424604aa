# SPDX-License-Identifier: Apache-2.0
"""Taking the light off a face: what spherical harmonics of second order say of it, and soft shadows beyond them.

Ramamoorthi and Hanrahan (2001): a matte surface under distant light is within a few percent a polynomial of second
order in its normal. Which part of a face's brightness is light and which is skin is decided by the statistic of skin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .colour import brightness
from .skin_prior import SkinPrior
from .surface import SkinSurface

__all__ = ["fit_light", "harmonics", "soft_shadow"]

Floats = npt.NDArray[np.floating[Any]]
_RIDGE = np.array([1e-4, 0.02, 0.02, 0.02, 0.05, 0.05, 0.05, 0.05, 0.05])  # of the weight, per harmonic
_TINT = 1.5  # the same that draws the channels' light towards a common one
_DARKEST = 0.22  # of the mean light: below it is shadow, which a polynomial does not describe
_ROUNDS = 4
_SHADOW_STEPS = 14  # rings of vertices over which what is left counts as light
_DEEPEST = 0.5  # log units of it that are taken off


def harmonics(normals: Floats) -> Floats:
    """(V, 9) spherical harmonics up to second order, each of about unit size."""
    x, y, z = normals.T
    return np.stack(
        [np.ones_like(x), x, y, z, 1.7 * x * y, 1.7 * y * z, 1.7 * x * z, 0.87 * (x * x - y * y), 1.5 * z * z - 0.5],
        axis=1,
    )


def fit_light(colours: Floats, normals: Floats, weight: Floats, prior: SkinPrior) -> tuple[Floats, Floats]:
    """Separate light and skin.

    Args:
        colours: (V, 3) logarithms of linear light, as seen.
        normals: (V, 3) in the camera's frame.
        weight: (V,) trust, 0 where not seen.
        prior: what skin is like.

    Returns:
        The logarithm of the light (V, 3), whose mean over what is seen is 0, and the likely skin (V, 3), a logarithm.
    """
    basis = harmonics(normals)
    known = np.flatnonzero(weight > 1e-3)
    light = np.zeros_like(colours)
    skin = prior.fit(colours, weight)
    if len(known) < 30:
        return light, skin
    b, w0 = basis[known], weight[known]
    for _ in range(_ROUNDS):
        ratio = np.exp(np.clip(colours[known] - skin[known], -3, 3))
        whole = np.exp(brightness(np.log(ratio)))
        hue = np.log(ratio) - np.log(whole)[:, None]
        odd = np.sqrt(((hue - np.median(hue, axis=0)) ** 2).mean(axis=1))  # another colour is no skin
        w = w0 / (1 + (odd / 0.12) ** 2)
        common = np.zeros(9)
        for _ in range(3):
            heavy = b * w[:, None]
            common = np.linalg.solve(heavy.T @ b + np.diag(_RIDGE * w.sum()), heavy.T @ whole)
            rest = (whole - b @ common) / np.maximum(whole.mean(), 1e-6)
            w = w0 / (1 + (rest / 0.2) ** 2) / (1 + (odd / 0.12) ** 2)
        heavy = b * w[:, None]
        left = heavy.T @ b + np.diag((_RIDGE + _TINT) * w.sum())
        channels = np.linalg.solve(left, heavy.T @ ratio + _TINT * w.sum() * common[:, None])
        shade = basis @ channels
        mean = (w0[:, None] * shade[known]).sum(axis=0) / w0.sum()
        # The tint of the mean light belongs to the skin's tone: it cannot be told from it.
        shade = shade / np.maximum(mean, 1e-6)
        light = np.log(_floored(shade))
        light -= (w0[:, None] * light[known]).sum(axis=0) / w0.sum()
        skin = prior.fit(colours - light, weight)
    return light, skin


def _floored(shade: Floats) -> Floats:
    """Light softly kept above :data:`_DARKEST` and below three times the mean."""
    high = np.clip(shade, None, 3.0)
    soft = _DARKEST
    return np.where(high > 2 * soft, high, soft * (1 + np.exp(np.clip(high / (2 * soft) - 1, -8, 0) * 2)))


def soft_shadow(surface: SkinSurface, colours: Floats, weight: Floats, skin: Floats) -> Floats:
    """(V,) logarithm of the light that harmonics left: the smooth part of the difference from the likely skin."""
    left = np.clip(brightness(colours - skin), -1.5, 1.5)
    w = weight * surface.skin / (1 + (left / 0.5) ** 2)
    both = np.stack([w * left, w], axis=1)
    both = surface.smoothed(both, _SHADOW_STEPS)
    smooth = both[:, 0] / np.maximum(both[:, 1], 1e-3)
    return np.clip(smooth, -_DEEPEST, _DEEPEST)
