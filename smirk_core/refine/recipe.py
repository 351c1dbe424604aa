# SPDX-License-Identifier: Apache-2.0
"""The refinements that a panel offers, as one value, and the stack of layers that it stands for.

Order of the layers: gaps are bridged first, so that nothing bad is smeared; single bad frames go, then the regions
are smoothed; on calm curves the neutral face is taken off; what is left is amplified, mirrored and moved in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import TakeError
from .layers import check_layer

__all__ = ["FACE_SLIDERS", "GAIN_SLIDERS", "Recipe"]

Layer = Mapping[str, Any]
FACE_SLIDERS: tuple[str, ...] = ("brows", "eyes", "mouth", "jaw", "head")
GAIN_SLIDERS: tuple[str, ...] = (*FACE_SLIDERS, "gaze")
_FOLLOWERS = {"mouth": ("mouth", "cheeks", "nose")}  # a smile lifts the cheeks, a sneer the nose
_BAD_FRAMES = 5  # window of the median


@dataclass(frozen=True)
class Recipe:
    """Refinements of a take. The default changes nothing.

    Attributes:
        smooth: strength per slider (brows, eyes, mouth with cheeks and nose, jaw, head), 0 to 1; 0 where not named.
        method: "savgol" (keeps peaks) or "one_euro" (calm when still, quick when fast).
        window: of savgol, in frames, odd.
        bad_frames: remove single bad frames by a running median.
        gaps: "keep" what the solve made of them, "interpolate" or "hold".
        confidence: frames trusted less than this are gaps, too; needs another mode than "keep".
        neutral: seconds in the source of the moment at which the face is at rest, or None.
        neutral_gaze: whether the eyes look straight ahead at that moment.
        gain: per slider (those of ``smooth`` and gaze), 0 to 4; 1 where not named.
        mirror: swap left and right.
        offset: seconds by which the performance comes later.
    """

    smooth: Mapping[str, float] = field(default_factory=dict)
    method: str = "savgol"
    window: int = 9
    bad_frames: bool = False
    gaps: str = "keep"
    confidence: float = 0.0
    neutral: float | None = None
    neutral_gaze: bool = False
    gain: Mapping[str, float] = field(default_factory=dict)
    mirror: bool = False
    offset: float = 0.0

    def layers(self) -> tuple[dict[str, Any], ...]:
        """The stack for :func:`smirk_core.refine.layers.apply_filters`.

        Raises:
            TakeError: a value is out of its range.
        """
        stack: list[dict[str, Any]] = []
        if self.gaps != "keep":
            stack.append({"kind": "gaps", "mode": self.gaps, "confidence": self.confidence})
        if self.bad_frames:
            stack.append({"kind": "median", "window": _BAD_FRAMES})
        strength = _regions(self.smooth, 0.0)
        if strength:
            settings = {"window": self.window, "order": min(3, self.window - 1)} if self.method == "savgol" else {}
            stack.append({"kind": self.method, **settings, "strength": strength})
        if self.neutral is not None:
            stack.append({"kind": "neutral", "time": self.neutral, "gaze": self.neutral_gaze})
        gain = _regions(self.gain, 1.0)
        if gain:
            stack.append({"kind": "gain", "gain": gain})
        if self.mirror:
            stack.append({"kind": "mirror"})
        if self.offset:
            stack.append({"kind": "offset", "seconds": self.offset})
        return tuple(check_layer(layer) for layer in stack)

    @staticmethod
    def of(layers: Sequence[Layer]) -> Recipe | None:
        """The recipe that makes exactly this stack; None where no recipe does, for example a stack typed by hand."""
        values: dict[str, Any] = {}
        try:
            stack = [check_layer(layer) for layer in layers]
            for layer in stack:
                values |= _settings(layer)
            recipe = Recipe(**values)
            return recipe if recipe.layers() == tuple(stack) else None
        except (TakeError, TypeError):
            return None


def _regions(sliders: Mapping[str, float], rest: float) -> dict[str, float]:
    """Values per region from values per slider, without those at rest."""
    return {r: float(v) for name, v in sliders.items() if v != rest for r in _FOLLOWERS.get(name, (name,))}


def _settings(layer: Layer) -> dict[str, Any]:
    """The settings of a recipe that a layer stands for."""
    kind = layer["kind"]
    if kind == "gaps":
        return {"gaps": layer["mode"], "confidence": layer["confidence"]}
    if kind == "median":
        return {"bad_frames": True}
    if kind in ("savgol", "one_euro"):
        smooth = {k: v for k, v in layer["strength"].items() if k in FACE_SLIDERS}
        return {"method": kind, "smooth": smooth, **({"window": layer["window"]} if kind == "savgol" else {})}
    if kind == "neutral":
        return {"neutral": layer["time"], "neutral_gaze": layer["gaze"]}
    if kind == "gain":
        return {"gain": {k: v for k, v in layer["gain"].items() if k in GAIN_SLIDERS}}
    return {"mirror": True} if kind == "mirror" else {"offset": layer["seconds"]}
