# SPDX-License-Identifier: Apache-2.0
"""Regions of the face, by which layers are dosed: what belongs to which, and one number for each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError

__all__ = ["GROUP_REGIONS", "REGIONS", "channel_values", "check_regions", "region_of_expression"]

Floats = npt.NDArray[np.floating[Any]]

REGIONS: tuple[str, ...] = ("brows", "eyes", "cheeks", "nose", "mouth", "jaw", "head")
GROUP_REGIONS = {"eyelids": "eyes", "eyes": "eyes", "jaw": "jaw", "rotation": "head", "neck": "head", "camera": "head"}
_FACE = ("brows", "eyes", "cheeks", "nose", "mouth")
_PREFIXES = {"brow": "brows", "eye": "eyes", "cheek": "cheeks", "nose": "nose", "jaw": "jaw"}


def region_of_expression(name: str) -> str | None:
    """The region that an ARKit-like expression name moves; ``None`` for components without a meaning."""
    for prefix, region in _PREFIXES.items():
        if name.startswith(prefix):
            return region
    return "mouth" if name.startswith(("mouth", "tongue")) else None


def channel_values(group: str, width: int, values: Mapping[str, float], names: Sequence[str], rest: float) -> Floats:
    """(width,) the value of each channel of a group, from values per region; ``rest`` for regions not named.

    Nameless expressions move the whole face and take the mean of its regions. Groups that are no motion
    (confidence, visibility) get ``rest``.
    """
    if group != "expression":
        return np.full(width, values.get(GROUP_REGIONS.get(group, ""), rest))
    face = float(np.mean([values.get(r, rest) for r in _FACE]))
    regions = [region_of_expression(n) for n in names]
    return np.array([face if r is None else values.get(r, rest) for r in regions])


def check_regions(
    kind: str, values: Any, what: str, low: float, high: float, regions: Sequence[str] = REGIONS
) -> dict[str, float]:
    """A mapping from region to number, or one number for all regions, as a checked mapping.

    Raises:
        TakeError: no number, an unknown region or a value outside ``low``..``high``.
    """
    values = values if isinstance(values, Mapping) else dict.fromkeys(regions, values)
    checked: dict[str, float] = {}
    for region, value in values.items():
        if region not in regions:
            raise TakeError(f"Filter '{kind}': unknown region '{region}'; there are {', '.join(regions)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise TakeError(
                f"Filter '{kind}': {what} must be a number between {low:g} and {high:g}, not {value} ({region})."
            )
        checked[region] = float(value)
    return checked
