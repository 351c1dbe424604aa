# SPDX-License-Identifier: Apache-2.0
"""sRGB bytes, linear light and its logarithm, in which light and skin are a sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BYTES", "LUMA", "brightness", "from_log", "to_bytes", "to_linear", "to_log"]

Floats = npt.NDArray[np.floating[Any]]
_DARK = 0.004  # linear light added before the logarithm: below it there is noise, not colour
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_S = np.arange(256) / 255.0
BYTES = np.where(_S <= 0.04045, _S / 12.92, ((_S + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""(256,) linear light of an sRGB byte."""
_ENCODE = np.linspace(0, 1, 8192)
_ENCODE = (255 * np.where(_ENCODE <= 0.0031308, 12.92 * _ENCODE, 1.055 * _ENCODE ** (1 / 2.4) - 0.055)).astype(
    np.float32
)


def to_linear(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Linear light of sRGB bytes, any shape."""
    return BYTES[picture]


def to_log(light: Floats) -> Floats:
    """Logarithm of linear light, float32."""
    return np.log(np.maximum(light, 0) + np.float32(_DARK)).astype(np.float32)


def from_log(value: Floats) -> Floats:
    """Back from :func:`to_log`."""
    return np.maximum(np.exp(value) - _DARK, 0)


def to_bytes(light: Floats) -> Floats:
    """sRGB 0..255, as float32, of linear light, any shape."""
    return _ENCODE[np.clip(light * 8191 + 0.5, 0, 8191).astype(np.int32)]


def brightness(log: Floats) -> Floats:
    """(...,) mean of the three logarithms: what a lamp of the skin's own colour changes."""
    return log[..., 0] * LUMA[0] + log[..., 1] * LUMA[1] + log[..., 2] * LUMA[2]
