# SPDX-License-Identifier: Apache-2.0
"""What a kind of layer is: its settings, how they are checked, and what it does to a performance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError

__all__ = ["Kind", "Layer", "Performance", "check_number"]

Floats = npt.NDArray[np.floating[Any]]
Layer = Mapping[str, Any]
Groups = dict[str, Floats]


@dataclass(frozen=True)
class Performance:
    """What a layer gets.

    Attributes:
        times: (N,) seconds.
        groups: name -> (N, size); a layer returns new ones and never writes into these.
        names: of the expressions; "" where a component has no meaning.
        width: of the picture in pixels; 0 where it is not known.
    """

    times: Floats
    groups: Mapping[str, Floats]
    names: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Attributes:
        defaults: setting -> default; a layer has these settings and no others.
        check: gets the complete settings and returns them normalised; raises TakeError.
        apply: (performance, checked settings) -> new groups.
    """

    defaults: Mapping[str, Any]
    check: Callable[[dict[str, Any]], dict[str, Any]]
    apply: Callable[[Performance, Layer], Groups]


def check_number(layer: Layer, setting: str, low: float, high: float) -> float:
    """A setting that must be a number from ``low`` to ``high``.

    Raises:
        TakeError: it is not.
    """
    value = layer[setting]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise TakeError(
            f"Filter '{layer['kind']}': {setting} must be a number between {low:g} and {high:g}, not {value}."
        )
    return float(value)
