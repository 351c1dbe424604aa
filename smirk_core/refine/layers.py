# SPDX-License-Identifier: Apache-2.0
"""The stack of layers over a raw take: applied, changed and taken away again without loss.

A layer is plain JSON and lives in the take's header. ``apply_filters`` always starts from ``take.raw``, so the same
stack gives the same result however often it is applied, and an empty stack is the raw take itself.

Kinds: ``savgol``, ``median``, ``one_euro`` (:mod:`.smoothing`), ``gaps``, ``neutral``, ``gain``, ``mirror`` and
``offset`` (the modules of these names); each module's table states the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError, TakeError
from ..heads.library import load_head
from ..take import Take
from .gain import GAIN, GAIN_REGIONS
from .gaps import GAPS
from .layer import Kind, Layer, Performance
from .mirror import MIRROR
from .neutral import NEUTRAL
from .offset import OFFSET
from .regions import REGIONS
from .smoothing import SMOOTHING

__all__ = ["KINDS", "UNFILTERED", "apply_filters", "check_layer", "expression_names_of", "parse_layer"]

Floats = npt.NDArray[np.floating[Any]]
KINDS: dict[str, Kind] = {
    **SMOOTHING,
    "gaps": GAPS,
    "neutral": NEUTRAL,
    "gain": GAIN,
    "mirror": MIRROR,
    "offset": OFFSET,
}
_WHOLE = ("window", "order")


UNFILTERED = "filters left out"  # how a take's notes say that its filters did not fit it


def parse_layer(text: str) -> dict[str, Any]:
    """A layer from the command line: ``savgol``, ``median:window=7``, ``one_euro:cutoff=2,mouth=0.5,head=1``.

    A region's number is its strength, in ``gain`` its gain. Without a region every region gets the full strength;
    with some, only those are touched.

    Raises:
        TakeError: unknown kind, setting or value.
    """
    kind, _, rest = text.partition(":")
    layer: dict[str, Any] = {"kind": kind}
    regions: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if kind == "gaps" and key == "mode":
            layer[key] = value
            continue
        try:
            number = {"true": True, "false": False}.get(value.lower())
            number = float(value) if number is None else number
        except ValueError as error:
            raise TakeError(f"Filter '{text}': '{value}' is not a number.") from error
        if key in (GAIN_REGIONS if kind == "gain" else REGIONS):
            regions[key] = float(number)
        else:
            layer[key] = int(number) if key in _WHOLE and float(number).is_integer() else number
    if regions:
        layer["gain" if kind == "gain" else "strength"] = regions
    return check_layer(layer)


def check_layer(layer: Layer) -> dict[str, Any]:
    """A complete copy of a layer: defaults filled in, every setting checked.

    Raises:
        TakeError: unknown kind or setting, or a value out of range; the message names what is allowed.
    """
    name = layer.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise TakeError(f"Unknown filter '{name}'; there are {', '.join(KINDS)}.")
    unknown = set(layer) - {"kind"} - set(kind.defaults)
    if unknown:
        allowed = [s for s in kind.defaults if s != "strength"]
        allowed += ["regions"] if "strength" in kind.defaults or "gain" in kind.defaults else []
        has = f"it has {', '.join(allowed)}" if allowed else "it has none"
        raise TakeError(f"Filter '{name}' has no setting '{sorted(unknown)[0]}'; {has}.")
    return kind.check({"kind": name, **kind.defaults, **layer})


def expression_names_of(take: Take) -> tuple[str, ...]:
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
        layers: in order of application. Empty: ``filtered`` is ``raw``, bit for bit.
        expression_names: names of the take's expressions, for the regions. Default: those of the bundled head where
            the take was made with it.

    Raises:
        TakeError: a layer is not valid or cannot be applied to this take, or the names do not fit it.
    """
    full = tuple(check_layer(layer) for layer in layers)
    if not full:
        return take.with_filtered(take.raw, full)
    names = expression_names_of(take) if expression_names is None else tuple(expression_names)
    size = take.raw["expression"].shape[1] if "expression" in take.raw else len(names)
    if len(names) != size:
        raise TakeError(f"{len(names)} expression names for a take with {size} expressions.")
    groups: dict[str, Floats] = dict(take.raw)
    times = np.asarray(take.times, np.float64)
    for layer in full:
        groups = KINDS[layer["kind"]].apply(Performance(times, groups, names, take.info.width), layer)
    return take.with_filtered(groups, full)
