# SPDX-License-Identifier: Apache-2.0
"""Smooth noise in space, the same wherever the seams of a texture run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fractal", "value_noise"]

Floats = npt.NDArray[np.floating[Any]]
_LATTICE = 32  # the noise repeats after so many cells


def value_noise(places: Floats, random: np.random.Generator) -> Floats:
    """(N,) float32, mean 0 and standard deviation about 1, at places (N, 3) in cells of the noise."""
    lattice = random.standard_normal(_LATTICE**3).astype(np.float32)
    # A turn and a shift, so that the lattice's directions never lie along the head's.
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    moved = np.asarray(places, np.float32) @ turn.astype(np.float32) + random.uniform(0, _LATTICE, 3).astype(np.float32)
    cell = np.floor(moved)
    t = moved - cell
    t = t * t * t * (t * (t * 6 - 15) + 10)
    low = cell.astype(np.int32) & (_LATTICE - 1)
    high = (low + 1) & (_LATTICE - 1)
    x, y, z = ((low[:, k], high[:, k]) for k in range(3))
    rows = []
    for a in range(2):
        for b in range(2):
            base = (x[a] * _LATTICE + y[b]) * _LATTICE
            first = lattice[base + z[0]]
            rows.append(first + t[:, 2] * (lattice[base + z[1]] - first))
    near = rows[0] + t[:, 1] * (rows[1] - rows[0])
    far = rows[2] + t[:, 1] * (rows[3] - rows[2])
    return 1.7 * (near + t[:, 0] * (far - near))


def fractal(places: Floats, random: np.random.Generator, octaves: int, gain: float = 0.5) -> Floats:
    """(N,) sum of ``octaves`` of noise, each twice as fine and ``gain`` as strong; standard deviation about 1."""
    total, strength, power = np.zeros(len(places), np.float32), 1.0, 0.0
    for k in range(octaves):
        total += np.float32(strength) * value_noise(np.asarray(places) * 2**k, random)
        power += strength**2
        strength *= gain
    return total / np.float32(np.sqrt(power))
