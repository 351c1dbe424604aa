# SPDX-License-Identifier: Apache-2.0
"""Smoothing as layers over a raw take: applied, changed and taken away again without loss.

A layer is plain JSON and lives in the take's header. ``apply_filters`` always starts from ``take.raw``, so the same
stack gives the same result however often it is applied, and an empty stack is the raw take itself.

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

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError, TakeError
from ..heads.library import load_head
from ..heads.parameters import FRAME_GROUPS
from ..heads.rotation import continuous_quaternions, quaternion_from_rotvec
from ..take import Take

__all__ = ["DEFAULTS", "REGIONS", "apply_filters", "check_layer", "parse_layer", "region_of_expression"]

Floats = npt.NDArray[np.floating[Any]]
Layer = Mapping[str, Any]

REGIONS: tuple[str, ...] = ("brows", "eyes", "cheeks", "nose", "mouth", "jaw", "head")
DEFAULTS: dict[str, dict[str, Any]] = {
    "savgol": {"window": 9, "order": 3},
    "median": {"window": 5},
    "one_euro": {"cutoff": 1.5, "beta": 1.0, "two_way": True},
}
_GROUP_REGIONS = {"eyelids": "eyes", "eyes": "eyes", "jaw": "jaw", "rotation": "head", "neck": "head", "camera": "head"}
_PREFIXES = {"brow": "brows", "eye": "eyes", "cheek": "cheeks", "nose": "nose", "jaw": "jaw"}
_TURNS = ("rotation", "neck")
_RANGES = {g.name: (g.low, g.high) for g in FRAME_GROUPS}


def region_of_expression(name: str) -> str | None:
    """The region that an ARKit-like expression name moves; ``None`` for components without a meaning."""
    for prefix, region in _PREFIXES.items():
        if name.startswith(prefix):
            return region
    return "mouth" if name.startswith(("mouth", "tongue")) else None


def parse_layer(text: str) -> dict[str, Any]:
    """A layer from the command line: ``savgol``, ``median:window=7``, ``one_euro:cutoff=2,mouth=0.5,head=1``.

    Without a region every region gets strength 1; with some, only those are touched.

    Raises:
        TakeError: unknown kind, setting or value.
    """
    kind, _, rest = text.partition(":")
    layer: dict[str, Any] = {"kind": kind}
    strength: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        try:
            number = {"true": True, "false": False}.get(value.lower())
            number = float(value) if number is None else number
        except ValueError as error:
            raise TakeError(f"Filter '{text}': '{value}' is not a number.") from error
        if key in REGIONS:
            strength[key] = float(number)
        else:
            layer[key] = int(number) if key in ("window", "order") and float(number).is_integer() else number
    if strength:
        layer["strength"] = strength
    return check_layer(layer)


def check_layer(layer: Layer) -> dict[str, Any]:
    """A complete copy of a layer: defaults filled in, every setting checked.

    Raises:
        TakeError: unknown kind or setting, or a value out of range; the message names what is allowed.
    """
    kind = layer.get("kind")
    if kind not in DEFAULTS:
        raise TakeError(f"Unknown filter '{kind}'; there are {', '.join(DEFAULTS)}.")
    unknown = set(layer) - {"kind", "strength"} - set(DEFAULTS[kind])
    if unknown:
        allowed = ", ".join(DEFAULTS[kind])
        raise TakeError(f"Filter '{kind}' has no setting '{sorted(unknown)[0]}'; it has {allowed} and regions.")
    full: dict[str, Any] = {"kind": kind, **DEFAULTS[kind], **{k: v for k, v in layer.items() if k != "kind"}}
    window = full.get("window", 3)
    if not isinstance(window, int) or window < 3 or window % 2 == 0:
        raise TakeError(f"Filter '{kind}': window must be an odd number of frames from 3 on, not {window}.")
    order = full.get("order", 1)
    if not isinstance(order, int) or not 0 <= order < window:
        raise TakeError(f"Filter '{kind}': order must be a whole number below the window, not {order}.")
    cutoff, beta = full.get("cutoff", 1.0), full.get("beta", 0.0)
    if not (isinstance(cutoff, int | float) and isinstance(beta, int | float) and cutoff > 0 and beta >= 0):
        raise TakeError(f"Filter '{kind}': cutoff must be above 0 and beta not below 0.")
    strength = full.get("strength", 1.0)
    full["strength"] = (
        {str(k): float(v) for k, v in strength.items()}
        if isinstance(strength, Mapping)
        else dict.fromkeys(REGIONS, float(strength))
    )
    for region, value in full["strength"].items():
        if region not in REGIONS:
            raise TakeError(f"Unknown region '{region}'; there are {', '.join(REGIONS)}.")
        if not 0.0 <= value <= 1.0:
            raise TakeError(f"Filter strength must be between 0 and 1, not {value} ({region}).")
    return full


def _savgol(values: Floats, times: Floats, window: int, order: int) -> Floats:
    """(N, C) -> (N, C): at each frame the value of a polynomial fitted to its ``window`` neighbours in true time.

    On even time stamps this is SciPy's ``savgol_filter(mode="interp")``, ends included.
    """
    n = len(values)
    window = min(window, n)
    order = min(order, window - 1)
    first = np.clip(np.arange(n) - window // 2, 0, n - window)
    offsets = times[first[:, None] + np.arange(window)] - times[:, None]
    offsets /= np.abs(offsets).max(axis=1, keepdims=True)
    powers = offsets[..., None] ** np.arange(order + 1)
    weights = np.linalg.pinv(powers)[:, 0, :]  # row 0 of the pseudo-inverse is the fit's value at offset 0
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


_FILTERS: dict[str, Callable[..., Floats]] = {"savgol": _savgol, "median": _median, "one_euro": _one_euro}


def _expression_strength(strength: Mapping[str, float], names: Sequence[str]) -> Floats:
    """(E,) strength per expression; components that move the whole face take the mean of the facial regions."""
    face = float(np.mean([strength.get(r, 0.0) for r in ("brows", "eyes", "cheeks", "nose", "mouth")]))
    regions = [region_of_expression(n) for n in names]
    return np.array([face if r is None else strength.get(r, 0.0) for r in regions])


def _filter_turns(vectors: Floats, smooth: Callable[[Floats], Floats], strength: float) -> Floats:
    """(N, 3) rotation vectors, filtered as quaternions on one side of the sphere, so that nothing jumps at pi."""
    q = continuous_quaternions(quaternion_from_rotvec(vectors))
    mixed = q + strength * (smooth(q) - q)
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return _rotvec_from_quaternion(mixed)


def _rotvec_from_quaternion(q: Floats) -> Floats:
    """(N, 4) unit quaternions to (N, 3) rotation vectors of angle at most pi."""
    q = np.where(q[:, :1] < 0, -q, q)
    sine = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    small = sine < 1e-9
    return q[:, 1:] * np.where(small, 2.0, 2.0 * np.arctan2(sine, q[:, :1]) / np.where(small, 1.0, sine))


def _apply(groups: Mapping[str, Floats], times: Floats, layer: Layer, names: Sequence[str]) -> dict[str, Floats]:
    """One layer over all groups; groups of strength 0 are passed on as they are."""
    settings = {k: layer[k] for k in DEFAULTS[layer["kind"]]}

    def smooth(values: Floats) -> Floats:
        return _FILTERS[layer["kind"]](np.asarray(values, np.float64), times, **settings)

    strength: Mapping[str, float] = layer["strength"]
    result = dict(groups)
    for name, values in groups.items():
        if name == "expression":
            weights = _expression_strength(strength, names)
        elif name in _GROUP_REGIONS:
            weights = np.full(values.shape[1], strength.get(_GROUP_REGIONS[name], 0.0))
        else:  # confidence and visibility are measurements, not motion
            continue
        if not weights.any():
            continue
        if name in _TURNS:
            result[name] = _filter_turns(values, smooth, float(weights[0]))
            continue
        # Camera channels in units of 0.1 head metres, so that the speed term of 1 Euro means the same everywhere.
        unit = 0.1 * max(float(np.median(values[:, 0])), 1e-6) if name == "camera" else 1.0
        mixed = (1.0 - weights) * values + weights * unit * smooth(values / unit)
        low, high = _RANGES[name]
        mixed = np.clip(mixed, min(low, values.min(initial=low)), max(high, values.max(initial=high)))
        result[name] = np.where(weights == 0, values, mixed)
    return result


def _names_of(take: Take) -> tuple[str, ...]:
    """Expression names of the take's head where it is the bundled one; else nameless components."""
    size = take.raw["expression"].shape[1] if "expression" in take.raw else 0
    try:
        head = load_head("open")
    except AssetError:
        return ("",) * size
    return head.expression_names if head.digest == take.info.head_digest else ("",) * size


def apply_filters(take: Take, layers: Sequence[Layer], *, expression_names: Sequence[str] | None = None) -> Take:
    """The take with ``filtered`` made anew from ``raw`` by a stack of layers; ``raw`` is never touched.

    Args:
        take: any take; its present filters are replaced.
        layers: in order of application; see the table above. Empty: ``filtered`` is ``raw``, bit for bit.
        expression_names: names of the take's expressions, for the regions. Default: those of the bundled head where
            the take was made with it.

    Raises:
        TakeError: a layer is not valid, or the names do not fit the take.
    """
    full = tuple(check_layer(layer) for layer in layers)
    if not full or len(take) == 1:
        return take.with_filtered(take.raw, full)
    names = _names_of(take) if expression_names is None else tuple(expression_names)
    size = take.raw["expression"].shape[1] if "expression" in take.raw else len(names)
    if len(names) != size:
        raise TakeError(f"{len(names)} expression names for a take with {size} expressions.")
    groups: dict[str, Floats] = dict(take.raw)
    times = np.asarray(take.times, np.float64)
    for layer in full:
        groups = _apply(groups, times, layer, names)
    return take.with_filtered(groups, full)
