# SPDX-License-Identifier: Apache-2.0
"""Named expressions and visemes as ARKit weights, made by hand and judged on the bundled head.

A viseme (a mouth as it speaks a group of sounds, the fifteen that speech tools know) sets the mouth alone; an
expression sets the whole face. Neither turns the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from .arkit import ARKIT_INDEX, groups_from_arkit
from .head_model import HeadModel
from .parameters import ARKIT_NAMES

__all__ = ["PRESETS", "Preset", "preset", "preset_groups", "sets_channel"]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Preset:
    """One expression.

    Attributes:
        name: stable identifier.
        label: for people.
        kind: an ``expression`` sets the whole face, a ``viseme`` the mouth, jaw and tongue.
        weights: ARKit channel -> weight; what is not named is 0.
    """

    name: str
    label: str
    kind: Literal["expression", "viseme"]
    weights: Mapping[str, float]

    def row(self) -> Floats:
        """(52,) weights in ARKit's order."""
        row = np.zeros(len(ARKIT_NAMES))
        for name, value in self.weights.items():
            row[ARKIT_INDEX[name]] = value
        return row


def _made(kind: Literal["expression", "viseme"], label: str, name: str, **weights: float) -> Preset:
    """``mouthSmile`` stands for both sides where ARKit has two."""
    full: dict[str, float] = {}
    for channel, value in weights.items():
        sides = (channel,) if channel in ARKIT_INDEX else (channel + "Left", channel + "Right")
        full |= dict.fromkeys(sides, value)
    return Preset(name, label, kind, MappingProxyType(full))


def _face(name: str, label: str, **weights: float) -> Preset:
    return _made("expression", label, name, **weights)


def _mouth(name: str, label: str, **weights: float) -> Preset:
    return _made("viseme", label, f"viseme_{name}", **weights)


PRESETS: tuple[Preset, ...] = (
    _face("neutral", "Neutral"),
    _face("smile", "Smile", mouthSmile=0.65, cheekSquint=0.35, eyeSquint=0.2, mouthDimple=0.1),
    _face("grin", "Grin", mouthSmile=0.9, mouthUpperUp=0.55, mouthLowerDown=0.35, cheekSquint=0.55, eyeSquint=0.35,
          mouthStretch=0.15, jawOpen=0.04),
    _face("laugh", "Big Laugh", mouthSmile=0.95, jawOpen=0.42, mouthUpperUp=0.65, mouthLowerDown=0.3, cheekSquint=0.85,
          eyeSquint=0.6, eyeBlink=0.25, browInnerUp=0.1, browOuterUp=0.2, noseSneer=0.15),
    _face("smirk", "Smirk", mouthSmileLeft=0.75, mouthDimpleLeft=0.4, mouthLeft=0.15, cheekSquintLeft=0.35,
          mouthPressLeft=0.2, eyeSquint=0.2, browOuterUpLeft=0.25),
    _face("frown", "Frown", mouthFrown=0.75, mouthShrugLower=0.35, browDown=0.35, mouthPress=0.2),
    _face("sad", "Sad", browInnerUp=0.9, mouthFrown=0.6, mouthShrugLower=0.4, eyeBlink=0.22, eyeSquint=0.15,
          eyeLookDown=0.25, mouthPucker=0.05),
    _face("angry", "Angry", browDown=1.0, eyeSquint=0.45, noseSneer=0.5, mouthFrown=0.35, mouthPress=0.55,
          mouthShrugLower=0.15, jawForward=0.2, eyeWide=0.15),
    _face("shout", "Shout", browDown=0.9, eyeSquint=0.3, noseSneer=0.6, jawOpen=0.75, mouthUpperUp=0.5,
          mouthLowerDown=0.55, mouthStretch=0.45, cheekSquint=0.4),
    _face("surprise", "Surprise", browInnerUp=0.9, browOuterUp=0.85, eyeWide=0.8, jawOpen=0.45, mouthFunnel=0.2),
    _face("fear", "Fear", browInnerUp=0.95, browOuterUp=0.4, browDown=0.15, eyeWide=0.9, mouthStretch=0.7,
          jawOpen=0.18, mouthLowerDown=0.35, mouthFrown=0.2),
    _face("disgust", "Disgust", noseSneer=0.95, mouthUpperUp=0.6, browDown=0.6, eyeSquint=0.5, cheekSquint=0.5,
          mouthFrown=0.35, mouthShrugLower=0.3),
    _face("contempt", "Contempt", mouthSmileRight=0.4, mouthDimpleRight=0.7, mouthPress=0.3, browDownLeft=0.3,
          browOuterUpRight=0.4, eyeBlink=0.2, eyeLookDown=0.15),
    _face("pain", "Pain", eyeBlink=0.9, eyeSquint=0.9, cheekSquint=0.8, noseSneer=0.6, browDown=0.8, browInnerUp=0.3,
          mouthStretch=0.7, mouthUpperUp=0.5, mouthLowerDown=0.5, jawOpen=0.1),
    _face("sceptical", "Sceptical", browOuterUpLeft=0.95, browInnerUp=0.15, browDownRight=0.6, eyeSquintRight=0.4,
          mouthFrown=0.15, mouthPress=0.3, mouthRight=0.2),
    _face("thinking", "Thinking", browDown=0.35, browOuterUpRight=0.3, eyeSquint=0.25, mouthLeft=0.4,
          mouthPucker=0.3, mouthPress=0.3, eyeLookUp=0.6, eyeLookOutLeft=0.45, eyeLookInRight=0.45),
    _face("pout", "Pout", mouthShrugLower=0.8, mouthPucker=0.45, mouthFrown=0.4, browInnerUp=0.5, browDown=0.15),
    _face("kiss", "Kiss", mouthPucker=1.0, mouthFunnel=0.15, eyeBlink=0.35, cheekSquint=0.1),
    _face("blow", "Blow", cheekPuff=0.9, mouthPucker=0.65, mouthFunnel=0.15, browInnerUp=0.15, jawOpen=0.02),
    _face("tongue", "Tongue Out", tongueOut=1.0, jawOpen=0.42, mouthSmile=0.35, mouthLowerDown=0.3, cheekSquint=0.35,
          eyeSquint=0.3),
    _face("wink_left", "Wink Left", eyeBlinkLeft=1.0, eyeSquintLeft=0.7, cheekSquintLeft=0.65, mouthSmileLeft=0.75,
          mouthSmileRight=0.35, browDownLeft=0.25, browOuterUpRight=0.3),
    _face("wink_right", "Wink Right", eyeBlinkRight=1.0, eyeSquintRight=0.7, cheekSquintRight=0.65,
          mouthSmileRight=0.75, mouthSmileLeft=0.35, browDownRight=0.25, browOuterUpLeft=0.3),
    _face("asleep", "Asleep", eyeBlink=1.0, jawOpen=0.06, browInnerUp=0.1),
    _face("yawn", "Yawn", jawOpen=0.95, eyeBlink=0.75, eyeSquint=0.5, browInnerUp=0.5, noseSneer=0.25,
          mouthFunnel=0.3, mouthUpperUp=0.15),
    _mouth("sil", "sil: silence"),
    _mouth("PP", "PP: p, b, m", mouthPress=0.5, mouthRollLower=0.45, mouthRollUpper=0.35),
    _mouth("FF", "FF: f, v", mouthRollLower=0.7, mouthUpperUp=0.4, jawOpen=0.07, mouthShrugLower=0.2),
    _mouth("TH", "TH: th", jawOpen=0.22, tongueOut=0.5, mouthLowerDown=0.35, mouthUpperUp=0.25),
    _mouth("DD", "DD: t, d", jawOpen=0.12, mouthLowerDown=0.35, mouthUpperUp=0.25, mouthStretch=0.15),
    _mouth("kk", "kk: k, g", jawOpen=0.22, mouthLowerDown=0.2, mouthUpperUp=0.2, mouthStretch=0.2),
    _mouth("CH", "CH: ch, j, sh", jawOpen=0.07, mouthFunnel=0.75, mouthPucker=0.15, mouthUpperUp=0.3,
           mouthLowerDown=0.3),
    _mouth("SS", "SS: s, z", jawOpen=0.04, mouthStretch=0.4, mouthSmile=0.2, mouthLowerDown=0.4, mouthUpperUp=0.25),
    _mouth("nn", "nn: n, l", jawOpen=0.13, mouthLowerDown=0.2, mouthUpperUp=0.12),
    _mouth("RR", "RR: r", jawOpen=0.1, mouthFunnel=0.45, mouthPucker=0.3),
    _mouth("aa", "aa: father", jawOpen=0.6, mouthLowerDown=0.2, mouthUpperUp=0.12),
    _mouth("E", "E: bed", jawOpen=0.27, mouthSmile=0.25, mouthStretch=0.35, mouthLowerDown=0.3, mouthUpperUp=0.15),
    _mouth("I", "I: see", jawOpen=0.1, mouthSmile=0.45, mouthStretch=0.35, mouthLowerDown=0.25, mouthUpperUp=0.15),
    _mouth("O", "O: more", jawOpen=0.4, mouthFunnel=0.75, mouthPucker=0.15),
    _mouth("U", "U: you", jawOpen=0.1, mouthPucker=0.85, mouthFunnel=0.3),
)  # fmt: skip
_BY_NAME = {p.name: p for p in PRESETS}
_OF_MOUTH = ("jaw", "mouth", "tongue", "cheekPuff")


def preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        TakeError: there is none.
    """
    if name not in _BY_NAME:
        raise TakeError(f"There is no expression '{name}'; there are {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def sets_channel(chosen: Preset, channel: str) -> bool:
    """Whether a preset sets an ARKit channel (to 0 perhaps) or leaves it as it is."""
    return chosen.kind == "expression" or channel.startswith(_OF_MOUTH)


def preset_groups(model: HeadModel, chosen: Preset) -> dict[str, Floats]:
    """The groups expression (1, E), eyelids (1, 2), jaw (1, 3) and eyes (1, 4) of a preset.

    Raises:
        TakeError: the head's expressions have no ARKit names.
    """
    if not set(model.expression_names) <= set(ARKIT_NAMES) or not model.angles:
        raise TakeError(f"The expressions of the head '{model.name}' have no ARKit names: presets do not fit it.")
    return groups_from_arkit(model, chosen.row()[None])
