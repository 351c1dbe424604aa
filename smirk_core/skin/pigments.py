# SPDX-License-Identifier: Apache-2.0
"""The colour of skin from its two pigments: melanin over blood.

Light crosses the epidermis, in which melanin swallows it, is scattered back by the dermis, in which blood does, and
crosses the epidermis again. Sources of the optics, all published measurements:

* melanin, bloodless tissue and scattering: S. L. Jacques, "Optical properties of biological tissues: a review",
  Phys. Med. Biol. 58 (2013) R37, and "Skin Optics" (1998): 1.3 to 6 % of the epidermis are melanin in light, 11 to
  16 % in medium, 18 to 43 % in dark skin;
* haemoglobin: S. Prahl's compilation of molar extinction (Oregon Medical Laser Center), 150 g/l of whole blood;
* the dermis sends back ``exp(-A / sqrt(3 (1 + scattering / absorption)))`` of the light (form of Jacques 1998).

Five numbers of this model (A, the way through the epidermis, the light that returns before any blood and its way,
the bloodless dermis' absorption) were fitted so that the six groups of skin come out as they are measured on people
(CIELAB of the groups of Del Bino and Bernerd 2013, within 2.5 units). Groups are told apart by the individual
typology angle (Chardon et al. 1991): above 55 degrees very light, 41 light, 28 intermediate, 10 tan, -30 brown, below
dark.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BLOOD", "FITZPATRICK", "MELANIN", "encode", "skin_colour", "typology_angle"]

Floats = npt.NDArray[np.floating[Any]]
MELANIN = (0.002, 1.0)  # the range that the model is asked for; people have 0.004 to 0.7
BLOOD = (0.003, 0.6)
# Melanin of Fitzpatrick's types I to VI, whose angles fall into the middle of the six groups above.
FITZPATRICK = (0.004, 0.021, 0.050, 0.094, 0.24, 0.48)
_NM = np.arange(400.0, 701.0, 10.0)
_WAY = 0.0113  # cm through the epidermis, there and back
_EARLY, _EARLY_WAY = 0.0728, 0.077  # light that never reaches the dermis, and its way through the epidermis
_RETURN = 4.15
_BLOODLESS = 3.1
_OXYGEN = 0.7
# Molar extinction in 1/cm/(mol/l) at 400, 410 ... 700 nm (Prahl).
_OXY = np.array([
    266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20932, 20035, 24202, 39957, 53236, 43016,
    32613, 44496, 50104, 14401, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290,
])  # fmt: skip
_DEOXY = np.array([
    223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590, 39036, 46592,
    53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795, 2408, 2052, 1794,
])  # fmt: skip
# Daylight D65 at the same wavelengths (CIE).
_D65 = np.array([
    82.75, 91.49, 93.43, 86.68, 104.86, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80, 104.79, 107.69, 104.41,
    104.05, 100.0, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70, 80.03, 80.21, 82.28, 78.28, 69.72, 71.61,
])  # fmt: skip
_TO_SRGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_WHITE = np.array([0.95047, 1.0, 1.08883])
_GRID = 48


def _matching() -> Floats:
    """(31, 3) CIE 1931 colour matching, by the sums of Gaussians of Wyman, Sloan and Shirley (JCGT 2013)."""

    def bell(peak: float, below: float, above: float) -> Floats:
        return np.exp(-0.5 * ((_NM - peak) * np.where(peak > _NM, below, above)) ** 2)

    x = 0.362 * bell(442.0, 0.0624, 0.0374) + 1.056 * bell(599.8, 0.0264, 0.0323) - 0.065 * bell(501.1, 0.0490, 0.0382)
    y = 0.821 * bell(568.8, 0.0213, 0.0247) + 0.286 * bell(530.9, 0.0613, 0.0322)
    z = 1.217 * bell(437.0, 0.0845, 0.0278) + 0.681 * bell(459.0, 0.0385, 0.0725)
    return np.stack([x, y, z], axis=1)


def _reflectance(melanin: Floats, blood: Floats, oxygen: float) -> Floats:
    """(..., 31) share of the light that comes back at every wavelength."""
    plain = 0.244 + 85.3 * np.exp(-(_NM - 154) / 66.2)  # 1/cm, tissue without pigment
    black = 6.6e11 * _NM**-3.33
    red = 2.303 * 150 / 64500 * (oxygen * _OXY + (1 - oxygen) * _DEOXY)
    scatter = 14.74 * (_NM / 500) ** -0.22 + 2.2e11 * _NM**-4.0
    epidermis = melanin[..., None] * black + (1 - melanin[..., None]) * plain
    dermis = blood[..., None] * red + (1 - blood[..., None]) * plain * _BLOODLESS
    back = np.exp(-_RETURN / np.sqrt(3 * (1 + scatter / dermis)))
    early = _EARLY * np.exp(-_EARLY_WAY * _WAY * epidermis)
    return early + (1 - early) * np.exp(-_WAY * epidermis) * back


@cache
def _table(oxygen: float) -> Floats:
    """(48, 48, 3) logarithms of linear sRGB over the logarithms of melanin and blood."""
    melanin, blood = np.meshgrid(np.geomspace(*MELANIN, _GRID), np.geomspace(*BLOOD, _GRID), indexing="ij")
    weights = _matching() * _D65[:, None]
    xyz = _reflectance(melanin, blood, oxygen) @ (weights / weights.sum(axis=0)) * _WHITE
    return np.log(np.clip(xyz @ _TO_SRGB.T, 1e-3, 1)).astype(np.float32)


def skin_colour(melanin: Floats | float, blood: Floats | float, oxygen: float = _OXYGEN) -> Floats:
    """(..., 3) linear sRGB of skin with shares of melanin and blood; clipped to ``MELANIN`` and ``BLOOD``.

    *Worked number:* melanin 0.020 and blood 0.020 give about (0.498, 0.327, 0.242), light skin.
    """
    table = _table(oxygen)
    place = []
    for value, (low, high) in ((melanin, MELANIN), (blood, BLOOD)):
        clipped = np.clip(np.asarray(value, np.float32), low, high)
        place.append(np.log(clipped / low) / np.float32(np.log(high / low)) * (_GRID - 1))
    m, b = np.broadcast_arrays(*place)
    i, j = (np.minimum(p.astype(np.int32), _GRID - 2) for p in (m, b))
    s, t = (m - i)[..., None], (b - j)[..., None]
    flat = table.reshape(-1, 3)
    corner = i * _GRID + j
    low = flat[corner] * (1 - t) + flat[corner + 1] * t
    high = flat[corner + _GRID] * (1 - t) + flat[corner + _GRID + 1] * t
    return np.exp(low * (1 - s) + high * s)


def encode(linear: Floats) -> Floats:
    """Linear light in 0..1 to sRGB in 0..1, as pictures store it."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def typology_angle(linear: Floats) -> Floats:
    """(...) individual typology angle in degrees of linear sRGB (..., 3), under D65."""
    xyz = np.asarray(linear, np.float64) @ np.linalg.inv(_TO_SRGB).T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lightness, yellow = 116 * f[..., 1] - 16, 200 * (f[..., 1] - f[..., 2])
    return np.degrees(np.arctan2(lightness - 50, yellow))
