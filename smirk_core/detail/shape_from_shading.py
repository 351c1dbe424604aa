# SPDX-License-Identifier: Apache-2.0
"""Relief of the skin from how a picture of it is shaded, given where the head is in the picture.

Linear shape from shading (Pentland, 1990) on the surface of the head. The light is known: the coarse head's normals
and the picture's brightness give it as spherical harmonics of order two (Basri and Jacobs, 2003). A small slope of the
skin changes the brightness by the light's derivative along it, and a hollow is darker than what is around it (Langer
and Zucker, 1994); both are linear in the height, so one sparse least-squares problem gives the height itself.
Light from the front says little about slopes, and there the hollows speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from ..rendering.photo_texture import PhotoView, look
from ..rendering.photo_texture import skin_surface as photo_surface
from .skin_mask import bare_skin
from .surface import Frames, SkinSurface

__all__ = ["ReliefView", "band", "harmonics", "light_of", "pitch_of", "relief_of_view", "solve_height"]

Floats = npt.NDArray[np.floating[Any]]
HOLLOW = 0.26  # share of light that a hollow a millimetre deep loses
FINE, BROAD = 0.45, 5.0  # millimetres: detail is what lies between these two blurs
_NOISE, _SLOPE, _HEIGHT = 0.025, 0.16, 0.22  # usual brightness noise, slope of fine relief and its height in mm
_CUT = 0.45  # of the logarithm of brightness: what differs more is a mole, a hair or a glint
_STEPS = 120


@dataclass(frozen=True)
class ReliefView:
    """What one picture says.

    Attributes:
        height: (H, W) float32 millimetres over the surface's window, detail alone.
        trust: (H, W) float32, 0..1.
        light: (9,) of :func:`harmonics`.
        detail: (H, W) float32 logarithm of the brightness without its smooth part: what the height explains.
        columns, rows: (H, W) float32 its change per millimetre that the height rises from texel to texel.
        pitch: millimetres to a texel.
    """

    height: Floats
    trust: Floats
    light: Floats
    detail: Floats
    columns: Floats
    rows: Floats
    pitch: float

    def expected(self, height: Floats, window: tuple[slice, slice]) -> Floats:
        """(h, w) the detail that a height (h, w) in millimetres would give in a part of the map."""
        d = self.columns[window] * np.gradient(height, axis=1) + self.rows[window] * np.gradient(height, axis=0)
        return band(d + HOLLOW * height, np.ones_like(height), FINE / self.pitch, BROAD / self.pitch)


def harmonics(normals: Floats) -> Floats:
    """(N, 9) 1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2 of unit normals (N, 3)."""
    x, y, z = normals.T
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def _slopes_of_light(light: Floats, normals: Floats) -> Floats:
    """(N, 3) change of the light per change of the normal, along the surface."""
    x, y, z = normals.T
    c = light
    gradient = np.stack(
        [
            c[3] + c[4] * y + c[7] * z + 2 * c[8] * x,
            c[1] + c[4] * x + c[5] * z - 2 * c[8] * y,
            c[2] + c[5] * y + 6 * c[6] * z + c[7] * x,
        ],
        axis=1,
    )
    return gradient - (gradient * normals).sum(axis=1, keepdims=True) * normals


def light_of(normals: Floats, brightness: Floats, weight: Floats) -> Floats:
    """(9,) light that explains the brightness (N,) of a surface of one colour, seen with normals (N, 3).

    Robust: brows, shadows and glints are weighed down in four rounds.
    """
    basis, own = harmonics(normals), np.asarray(weight, np.float64).copy()
    # Higher orders are weakly held by what a face shows of the sphere.
    ridge = np.diag([1e-6, 1e-3, 1e-3, 1e-3, *[2e-2] * 5]) * max(float(own.sum()), 1e-9)
    light = np.zeros(9)
    for _ in range(4):
        light = np.linalg.solve(basis.T @ (own[:, None] * basis) + ridge, basis.T @ (own * brightness))
        wrong = np.abs(basis @ light - brightness)
        scale = 1.5 * np.sqrt(np.average(wrong**2, weights=own + 1e-12)) + 1e-6
        own = weight / (1 + (wrong / scale) ** 2)
    return light


def relief_of_view(model: HeadModel, surface: SkinSurface, view: PhotoView) -> ReliefView:
    """The fine relief of the skin that a picture shows.

    Args:
        model: the head.
        surface: its texels.
        view: a picture and the head fitted to it.

    Raises:
        TakeError: the head is nowhere in the picture.
    """
    coarse = photo_surface(model, max(256, surface.window.size // 2))
    sight = look(coarse, view)
    place, trust = sight.trust(coarse, surface.corners, surface.shares)
    seen = np.flatnonzero(trust > 0.02)
    brightness = np.zeros(len(trust), np.float32)
    brightness[seen] = sight.colour(place[seen]) @ np.array([0.25, 0.55, 0.2], np.float32)
    skin = bare_skin(model, surface)
    trust = np.where(brightness > 0.004, trust * skin, 0.0)
    frames = Frames.of(model, surface, view.vertices)
    light = light_of(frames.normal[::7], brightness[::7], trust[::7])
    shade = np.maximum(
        harmonics(frames.normal) @ light, 0.15 * float(np.median(brightness[seen])) if len(seen) else 1e-3
    )
    ratio = np.log(np.maximum(brightness, 0.004) / shade)

    pitch = pitch_of(surface)
    weights = surface.as_map(trust.astype(np.float32))
    detail = band(surface.as_map(ratio.astype(np.float32)), weights, FINE / pitch, BROAD / pitch)
    weights = weights * np.where(np.abs(detail) < _CUT, 1.0, 0.0).astype(np.float32)
    along_u, along_v = frames.dual()
    turn = -_slopes_of_light(light, frames.normal) / shade[:, None]
    # Per texel and millimetre: columns run with u, rows against v.
    scale = 1e-3 * surface.window.size
    columns = surface.as_map(((turn * along_u).sum(axis=1) * scale).astype(np.float32))
    rows = surface.as_map((-(turn * along_v).sum(axis=1) * scale).astype(np.float32))
    detail = np.clip(detail, -_CUT, _CUT)
    height = solve_height(columns, rows, detail, weights, pitch)
    return ReliefView(band(height, weights, 0.0, BROAD / pitch), weights, light, detail, columns, rows, pitch)


def pitch_of(surface: SkinSurface) -> float:
    """Millimetres of skin to a texel, in the middle of the face."""
    position = surface.as_map(surface.position)
    covered = surface.as_map(np.ones(len(surface.texels), np.float32)) > 0
    both = covered[:, 1:] & covered[:, :-1]
    return 1e3 * float(np.median(np.linalg.norm(np.diff(position, axis=1)[both], axis=1)))


def solve_height(columns: Floats, rows: Floats, detail: Floats, weights: Floats, pitch: float) -> Floats:
    """(H, W) millimetres: the height h that best explains ``detail = columns dh/dc + rows dh/dr + HOLLOW h``.

    Args:
        columns, rows: (H, W) change of brightness per millimetre that the height rises from texel to texel.
        detail: (H, W) the brightness' logarithm without its smooth part.
        weights: (H, W) 0..1, trust in it.
        pitch: millimetres to a texel.

    Method: conjugate gradients on the normal equations, without a matrix; smoothness and smallness are priors with
    the usual noise of brightness, slope and height of skin.
    """
    slope, small = np.float32((_NOISE / _SLOPE / pitch) ** 2), np.float32((_NOISE / _HEIGHT) ** 2)
    hollow = np.float32(HOLLOW)
    a, b, w = (np.asarray(v, np.float32) for v in (columns, rows, weights))

    def across(h: Floats) -> Floats:
        d = np.zeros_like(h)
        d[:, :-1] = h[:, 1:] - h[:, :-1]
        return d

    def down(h: Floats) -> Floats:
        d = np.zeros_like(h)
        d[:-1] = h[1:] - h[:-1]
        return d

    def across_back(d: Floats) -> Floats:
        h = np.zeros_like(d)
        h[:, 1:] += d[:, :-1]
        h[:, :-1] -= d[:, :-1]
        return h

    def down_back(d: Floats) -> Floats:
        h = np.zeros_like(d)
        h[1:] += d[:-1]
        h[:-1] -= d[:-1]
        return h

    def apply(h: Floats) -> Floats:
        right, below = across(h), down(h)
        predicted = w * (a * right + b * below + hollow * h)
        return (
            across_back(a * predicted + slope * right) + down_back(b * predicted + slope * below)
            + hollow * predicted + small * h
        )  # fmt: skip

    wanted = w * np.asarray(detail, np.float32)
    residual = across_back(a * wanted) + down_back(b * wanted) + hollow * wanted
    diagonal = w * (a * a + b * b + (hollow - a - b) ** 2) + 4 * slope + small
    height = np.zeros_like(residual)
    step = residual / diagonal
    power = float((residual * step).sum())
    start = power
    for _ in range(_STEPS):
        if power <= 1e-6 * start or power <= 1e-30:
            break
        image = apply(step)
        length = np.float32(power / max(float((step * image).sum()), 1e-30))
        height += length * step
        residual -= length * image
        next_step = residual / diagonal
        next_power = float((residual * next_step).sum())
        step = next_step + np.float32(next_power / power) * step
        power = next_power
    return height


def band(values: Floats, weights: Floats, fine: float, broad: float) -> Floats:
    """(H, W) float32 a map between two Gaussian blurs that count trusted texels alone; 0 where nothing is known.

    Args:
        values, weights: (H, W).
        fine, broad: standard deviations in texels; no fine blur where it is 0.
    """
    values, weights = np.asarray(values, np.float32), np.asarray(weights, np.float32)
    low = _mean(values, weights, broad)
    high = _mean(values, weights, fine) if fine > 0 else values
    return np.where(weights > 0.02, high - low, np.float32(0)).astype(np.float32)


def _mean(values: Floats, weights: Floats, sigma: float) -> Floats:
    total = blur(weights, sigma)
    return blur(values * weights, sigma) / np.maximum(total, np.float32(1e-4))


def blur(values: Floats, sigma: float) -> npt.NDArray[np.float32]:
    """(H, W) a Gaussian blur by four box blurs of running sums: its cost does not grow with its width."""
    if sigma < 1.2:  # boxes are too coarse for this: a short kernel
        reach = max(1, int(np.ceil(3 * sigma)))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
        kernel = (kernel / kernel.sum()).astype(np.float32)
        for axis in (0, 1):
            padded = np.pad(values, [(reach, reach) if axis == k else (0, 0) for k in (0, 1)], mode="edge")
            count = values.shape[axis]
            parts = [weight * np.take(padded, np.arange(k, k + count), axis=axis) for k, weight in enumerate(kernel)]
            values = np.sum(parts, axis=0)
        return np.asarray(values, np.float32)
    rounds = 4
    width = np.sqrt(12 * sigma**2 / rounds + 1)
    reach = max(1, round((width - 1) / 2))
    for _ in range(rounds):
        for axis in (0, 1):
            pad = [(reach + 1, reach) if axis == k else (0, 0) for k in (0, 1)]
            running = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis, dtype=np.float64)
            count, size = values.shape[axis], 2 * reach + 1
            ahead = np.take(running, np.arange(size, size + count), axis=axis)
            values = ((ahead - np.take(running, np.arange(count), axis=axis)) / size).astype(np.float32)
    return np.asarray(values, np.float32)
