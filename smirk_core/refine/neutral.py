# SPDX-License-Identifier: Apache-2.0
"""Layer ``neutral``: the face at one moment becomes the face at rest.

=================  =============================================================================================
setting (default)
=================  =============================================================================================
``time`` (0)       seconds in the source: the moment at which the face is at rest
``strength`` (1)   a number in [0, 1], or one per region
``gaze`` (false)   whether the eyes look straight ahead at that moment, too
=================  =============================================================================================

Every channel is mapped by two straight pieces: what it is at rest to 0, and each end of its range to itself, so that
a full smile or a full blink can still be reached. Weights stop at 0. Worked number: a mouth that rests at a smile of
0.2 maps 0.2 to 0, 0.6 to 0.5 and 1 to 1. Nameless components have no range: theirs is subtracted. Lids that are more
than half closed at the moment blink, and are left alone. The head's pose is never touched: footage and head stay in
place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.parameters import FRAME_GROUPS
from .layer import Kind, Layer, Performance, check_number
from .regions import channel_values, check_regions, region_of_expression
from .resample import resample

__all__ = ["NEUTRAL"]

Floats = npt.NDArray[np.floating[Any]]
_HIGHEST = 0.95  # of a rest that is still subtracted; it makes the gain of what is left 20 at most
_BLINK = 0.5
_RANGES = {g.name: (g.low, g.high) for g in FRAME_GROUPS}
_STAMP = 0.5  # seconds by which the moment may lie outside of a take that was cut


def _rest_to_zero(values: Floats, rest: Floats, low: Floats, high: Floats) -> Floats:
    """(N, C) values -> (N, C): ``rest`` (C,) to 0, ``low`` and ``high`` (C,) to themselves, straight in between.

    Where ``low`` is 0 everything below rest is 0; what lies beyond an end stays beyond it.
    """
    rest = np.clip(rest, low * _HIGHEST, high * _HIGHEST)
    above = (values - rest) * (high / (high - rest))
    room = np.where(low < 0, low - rest, -1.0)
    below = np.where(low < 0, (values - rest) * (low / room), np.minimum(values, 0.0))
    return np.where(rest == 0, values, np.where(values >= rest, above, below))


def _calibrate(take: Performance, layer: Layer) -> dict[str, Floats]:
    time, times = layer["time"], take.times
    if not times[0] - _STAMP <= time <= times[-1] + _STAMP:
        raise TakeError(
            f"The neutral moment, {time:.2f} s, lies outside of the take ({times[0]:.2f} to {times[-1]:.2f} s): "
            "choose another one."
        )
    at_rest = {k: v[0] for k, v in resample(take.groups, times, np.array([time])).items()}
    result = dict(take.groups)

    def calibrate(group: str, rest: Floats, low: Floats, high: Floats) -> None:
        strength = channel_values(group, len(rest), layer["strength"], take.names, 0.0)
        result[group] = _rest_to_zero(np.asarray(take.groups[group], np.float64), strength * rest, low, high)

    if "expression" in at_rest:
        rest = at_rest["expression"]
        endless = np.array([region_of_expression(n) is None for n in take.names], dtype=bool)
        calibrate("expression", np.where(endless, 0.0, rest), np.zeros(len(rest)), np.ones(len(rest)))
        strength = channel_values("expression", len(rest), layer["strength"], take.names, 0.0)
        result["expression"] = result["expression"] - np.where(endless, strength * rest, 0.0)
    if "eyelids" in at_rest:
        rest = at_rest["eyelids"]
        calibrate("eyelids", np.where(rest > _BLINK, 0.0, rest), np.zeros(2), np.ones(2))
    if "jaw" in at_rest:
        low, high = np.full(3, _RANGES["jaw"][0]), np.full(3, _RANGES["jaw"][1])
        low[0] = 0.0  # the jaw opens; a mouth that closes further than at rest would bite into its teeth
        calibrate("jaw", at_rest["jaw"], low, high)
    if layer["gaze"] and "eyes" in at_rest:
        # One angle for the whole take: a gain would make the eyes cross while they follow something.
        strength = layer["strength"].get("eyes", 0.0)
        result["eyes"] = np.asarray(take.groups["eyes"], np.float64) - strength * at_rest["eyes"]
    return result


def _check(layer: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(layer["gaze"], bool):
        raise TakeError(f"Filter 'neutral': gaze must be true or false, not {layer['gaze']}.")
    strength = check_regions("neutral", layer["strength"], "strength", 0.0, 1.0)
    return layer | {"time": check_number(layer, "time", -1e9, 1e9), "strength": strength}


NEUTRAL = Kind({"time": 0.0, "strength": 1.0, "gaze": False}, _check, _calibrate)
