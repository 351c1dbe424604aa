# SPDX-License-Identifier: Apache-2.0
"""Layers that smooth, each channel by the strength of its region.

===========  =========================================================================================
kind         settings (defaults)
===========  =========================================================================================
``savgol``   ``window`` (9 frames, odd), ``order`` (3): local polynomial over true time stamps; no lag
``median``   ``window`` (5 frames, odd): removes single bad frames and keeps edges; no lag
``one_euro`` ``cutoff`` (1.5 Hz), ``beta`` (1.0), ``two_way`` (true): strong when still, light when fast
===========  =========================================================================================

``strength`` is a number, or a mapping from region to a number in [0, 1]; a layer touches only the regions it names.
Sources: Savitzky & Golay 1964; Casiez, Roussel & Vogel 2012 (1 Euro filter).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.parameters import FRAME_GROUPS
from ..heads.rotation import continuous_quaternions, quaternion_from_rotvec
from .layer import Kind, Layer, Performance
from .regions import GROUP_REGIONS, channel_values, check_regions
from .resample import TURNS, rotvec_from_quaternion

__all__ = ["SMOOTHING"]

Floats = npt.NDArray[np.floating[Any]]
_RANGES = {g.name: (g.low, g.high) for g in FRAME_GROUPS}


@lru_cache(maxsize=8)  # the groups of a take share their time stamps
def _savgol_weights(stamps: bytes, window: int, order: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """First frame (N,) and weights (N, window) of each frame's window."""
    times = np.frombuffer(stamps, dtype=np.float64)
    n = len(times)
    first = np.clip(np.arange(n) - window // 2, 0, n - window)
    offsets = times[first[:, None] + np.arange(window)] - times[:, None]
    offsets /= np.abs(offsets).max(axis=1, keepdims=True)
    powers = offsets[..., None] ** np.arange(order + 1)
    return first, np.linalg.pinv(powers)[:, 0, :]  # row 0 of the pseudo-inverse is the fit's value at offset 0


def _savgol(values: Floats, times: Floats, window: int, order: int) -> Floats:
    """(N, C) -> (N, C): at each frame the value of a polynomial fitted to its ``window`` neighbours in true time.

    On even time stamps this is SciPy's ``savgol_filter(mode="interp")``, ends included.
    """
    window = min(window, len(values))
    first, weights = _savgol_weights(times.tobytes(), window, min(order, window - 1))
    result = np.zeros_like(values)
    for k in range(window):
        result += weights[:, k, None] * values[first + k]
    return result


def _median(values: Floats, times: Floats, window: int) -> Floats:
    """(N, C) -> (N, C): running median; at the ends the window shrinks evenly, so that nothing is shifted."""
    n, half = len(values), window // 2
    result = np.empty_like(values)
    views = np.lib.stride_tricks.sliding_window_view(np.pad(values, ((half, half), (0, 0)), mode="edge"), window, 0)
    result[:] = np.median(views, axis=-1)
    for reach in range(min(half, n)):
        for centre in {reach, n - 1 - reach}:
            inside = min(reach, n - 1 - centre, centre)
            result[centre] = np.median(values[centre - inside : centre + inside + 1], axis=0)
    return result


def _one_euro_pass(values: Floats, times: Floats, cutoff: float, beta: float) -> Floats:
    """One causal pass of the 1 Euro filter over (N, C); all channels at once, frames in order."""
    result = np.empty_like(values)
    result[0] = values[0]
    speed = np.zeros(values.shape[1])
    for i in range(1, len(values)):
        step = times[i] - times[i - 1]
        # Exponential smoothing with cut-off f has alpha = 1 / (1 + 1 / (2 pi f dt)); the speed is smoothed at 1 Hz.
        speed += ((values[i] - values[i - 1]) / step - speed) / (1.0 + 1.0 / (2.0 * np.pi * step))
        rate = 2.0 * np.pi * (cutoff + beta * np.abs(speed)) * step
        result[i] = result[i - 1] + (values[i] - result[i - 1]) * (rate / (1.0 + rate))
    return result


def _one_euro(values: Floats, times: Floats, cutoff: float, beta: float, two_way: bool) -> Floats:
    """The 1 Euro filter; ``two_way`` averages a forward and a backward pass, whose lags cancel."""
    forward = _one_euro_pass(values, times, cutoff, beta)
    if not two_way:
        return forward
    backward = _one_euro_pass(values[::-1], -times[::-1], cutoff, beta)[::-1]
    return 0.5 * (forward + backward)


def _filter_turns(vectors: Floats, smooth: Callable[[Floats], Floats], strength: float) -> Floats:
    """(N, 3) rotation vectors, filtered as quaternions on one side of the sphere, so that nothing jumps at pi."""
    q = continuous_quaternions(quaternion_from_rotvec(vectors))
    mixed = q + strength * (smooth(q) - q)
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return rotvec_from_quaternion(mixed)


def _smooth(
    filter_: Callable[..., Floats], names: tuple[str, ...], take: Performance, layer: Layer
) -> dict[str, Floats]:
    """One layer over all groups; groups of strength 0 are passed on as they are."""
    settings = {k: layer[k] for k in names}
    result = dict(take.groups)
    if len(take.times) == 1:
        return result

    def smooth(values: Floats) -> Floats:
        return filter_(np.asarray(values, np.float64), take.times, **settings)

    for name, values in take.groups.items():
        if name != "expression" and name not in GROUP_REGIONS:
            continue  # confidence and visibility are measurements, not motion
        weights = channel_values(name, values.shape[1], layer["strength"], take.names, 0.0)
        if not weights.any():
            continue
        if name in TURNS:
            result[name] = _filter_turns(values, smooth, float(weights[0]))
            continue
        # Camera channels in units of 0.1 head metres, so that the speed term of 1 Euro means the same everywhere.
        unit = 0.1 * max(float(np.median(values[:, 0])), 1e-6) if name == "camera" else 1.0
        mixed = (1.0 - weights) * values + weights * unit * smooth(values / unit)
        low, high = _RANGES[name]
        mixed = np.clip(mixed, min(low, values.min(initial=low)), max(high, values.max(initial=high)))
        result[name] = np.where(weights == 0, values, mixed)
    return result


def _check(layer: dict[str, Any]) -> dict[str, Any]:
    kind = layer["kind"]
    window = layer.get("window", 3)
    if not isinstance(window, int) or window < 3 or window % 2 == 0:
        raise TakeError(f"Filter '{kind}': window must be an odd number of frames from 3 on, not {window}.")
    order = layer.get("order", 1)
    if not isinstance(order, int) or not 0 <= order < window:
        raise TakeError(f"Filter '{kind}': order must be a whole number below the window, not {order}.")
    cutoff, beta = layer.get("cutoff", 1.0), layer.get("beta", 0.0)
    if not (isinstance(cutoff, int | float) and isinstance(beta, int | float) and cutoff > 0 and beta >= 0):
        raise TakeError(f"Filter '{kind}': cutoff must be above 0 and beta not below 0.")
    return layer | {"strength": check_regions(kind, layer["strength"], "strength", 0.0, 1.0)}


def _kind(filter_: Callable[..., Floats], **settings: Any) -> Kind:
    return Kind(settings | {"strength": 1.0}, _check, partial(_smooth, filter_, tuple(settings)))


SMOOTHING: dict[str, Kind] = {
    "savgol": _kind(_savgol, window=9, order=3),
    "median": _kind(_median, window=5),
    "one_euro": _kind(_one_euro, cutoff=1.5, beta=1.0, two_way=True),
}
