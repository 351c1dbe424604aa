# SPDX-License-Identifier: Apache-2.0
"""The encoder's outputs in the units of a take, and takes that are nothing but these outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from ..take import Take
from .crop import CROP_SIZE, cameras_to_frame
from .crop_encoder import EncodedFaces
from .gaps import bridge
from .hidden_regions import trust_of_motion, trust_of_regions

__all__ = ["Measured", "faithful_groups", "frame_parameters", "measured_parameters", "network_arrays"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_BULKY = ("points", "point_sigma")


@dataclass(frozen=True)
class Measured:
    """What the encoder says of one face in the S frames in which it was seen.

    Attributes:
        identity: (K,) of the whole clip: the median of the frames' codes, so that a few bad frames do not count; with
            one frame the code itself.
        groups: (S, size) of rotation, camera (full-frame pixels), jaw, eyelids and expression, as in takes; ``eyes``
            where the encoder knows of gaze.
        spread: (S, size) standard deviations of expression, eyelids, jaw and eyes, as the encoder states them; {} for
            encoders that do not.
        visibility: (S, 6) share of each region of :data:`smirk_core.encoder.extras.REGIONS` that is to be seen, or
            None.
        points: (S, P, 2) full-frame pixels of the dense points :attr:`vertices`, None where the encoder has none.
        point_error: (S, P) pixels, standard deviations of the points' distances.
        vertices: (P,) of the head.
    """

    identity: Floats
    groups: dict[str, Floats]
    spread: dict[str, Floats] = field(default_factory=dict)
    visibility: Floats | None = None
    points: Floats | None = None
    point_error: Floats | None = None
    vertices: Ints | None = None

    def __len__(self) -> int:
        return len(self.groups["rotation"])


def _padded(values: Floats, size: int) -> Floats:
    """Coefficients that the encoder does not give are zero."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, size - values.shape[-1])])


def measured_parameters(encoded: EncodedFaces, head: HeadModel) -> Measured:
    """SMIRK's outputs as groups of a take of this head; nothing is smoothed or changed, only renamed and padded.

    What an encoder of ours says of expressions is kept within the head's range: a network does not know where it ends.
    What it says of regions that it does not see is drawn to rest: a face that nobody sees most often does nothing.
    """
    outputs = encoded.outputs
    groups = {
        "rotation": outputs["pose_params"],
        "camera": cameras_to_frame(encoded.crops, outputs["cam"]),
        "jaw": outputs["jaw_params"],
        "eyelids": outputs["eyelid_params"],
        "expression": _padded(outputs["expression_params"], head.expression_size),
    }
    identity = _padded(np.median(outputs["shape_params"], axis=0), head.identity_size)
    if "sigma_params" not in outputs:
        return Measured(identity, groups)
    groups["expression"] = groups["expression"].clip(*head.expression_range)
    groups["eyes"] = outputs["gaze_params"]
    trust = trust_of_motion(head, trust_of_regions(outputs["region_visibility"]))
    groups |= {name: groups[name] * share.astype(np.float32) for name, share in trust.items()}
    sizes = {"expression": head.expression_size, "eyelids": 2, "jaw": 3, "eyes": 4}
    parts = np.split(outputs["sigma_params"], np.cumsum(list(sizes.values()))[:-1], axis=1)
    measured = Measured(
        identity, groups, dict(zip(sizes, parts, strict=True)), outputs["region_visibility"]
    )  # fmt: skip
    if "points" not in outputs:  # takes keep all but these
        return measured
    half = CROP_SIZE / 2  # the crop spans [-1, 1]; as in cameras_to_frame, its middle is pixel 112
    k, shift = encoded.crops[:, 0, 0][:, None, None], encoded.crops[:, None, :2, 2]
    points = (half * (1 + outputs["points"].reshape(len(k), -1, 2)) - shift) / k
    error = half * outputs["point_sigma"] / k[:, 0]
    return replace(measured, points=points, point_error=error, vertices=np.array(encoded.vertices))


def faithful_groups(measured: Measured, visible: Ints, times: Floats) -> dict[str, Floats]:
    """All per-frame groups of a take (N, size) that is the encoder's word alone, gaps bridged.

    The neck is at rest, and the eyes where the network does not know of gaze. Float32, but for a camera that is rounded
    only then.
    """
    n = len(times)
    seen = np.zeros((n, 1))
    seen[visible] = 1.0
    groups = {k: v if len(v) == n else bridge(v, visible, times) for k, v in measured.groups.items()}
    groups = {"eyes": np.zeros((n, 4))} | groups
    groups |= {"neck": np.zeros((n, 3)), "confidence": seen, "visibility": seen}
    return {k: np.asarray(v, np.float32) for k, v in groups.items()}


def network_arrays(encoded: EncodedFaces, times: Floats) -> dict[str, Floats]:
    """What :attr:`smirk_core.take.Take.network` keeps: ``times`` (S,), ``crop`` (S, 3, 3), SMIRK's outputs and those
    extras that are not larger than all of it: ten minutes of dense points would be 60 MB in every .blend."""
    kept = {k: v for k, v in encoded.outputs.items() if k not in _BULKY}
    return {"times": np.asarray(times, np.float64), "crop": encoded.crops, **kept}


def frame_parameters(take: Take, head: HeadModel) -> dict[str, Floats]:
    """What the encoder said of every seen frame, for :func:`smirk_core.heads.decode.decode`: identity per frame.

    SMIRK looks at every frame alone, so its head has another shape in each; a take has one. This gives the former.

    Returns:
        Groups as in takes, and ``identity``; (S, size) each, at the times ``take.network["times"]``.

    Raises:
        ValueError: no encoder took part in the take.
    """
    if not take.network:
        raise ValueError("no encoder took part in this take")
    outputs = {k: v for k, v in take.network.items() if k not in ("times", "crop")}
    measured = measured_parameters(EncodedFaces(outputs, take.network["crop"]), head)
    return {**measured.groups, "identity": _padded(outputs["shape_params"], head.identity_size)}
