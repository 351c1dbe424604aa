# SPDX-License-Identifier: Apache-2.0
"""The pipeline: media to faces to tracks to the clip solve to takes, streaming, with progress and cancellation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..errors import AssetError, Cancelled, MediaError, SmirkError, TakeError
from ..heads.head_model import HeadModel
from ..heads.library import load_head
from ..progress import Progress, silent
from ..take import Take, TakeInfo
from .face_tracks import FaceTrack, select_tracks, wanted_faces
from .measured import faithful_groups, measured_parameters, network_arrays
from .reading import Reading, Watcher, read_faces

if TYPE_CHECKING:
    from ..encoder.runtime import Encoder
    from .crop_encoder import EncodedFaces
    from .solve import SolveSettings

__all__ = ["Reading", "Watcher", "read_faces", "track", "track_all"]

Floats = npt.NDArray[np.floating[Any]]


def track_all(
    path: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    encoder: str | os.PathLike[str] | Encoder = "auto",
    device: str = "auto",
    solve: bool = True,
    faces: str | int = "all",
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    filters: Sequence[Mapping[str, Any]] = (),
    progress: Progress = silent,
    detector: str = "auto",
    neutral_frame: int | None = None,
    identity: npt.ArrayLike | None = None,
    sequence: bool = False,
    settings: SolveSettings | None = None,
    watch: Watcher | None = None,
) -> list[Take]:
    """One take per face asked for, the largest first. Arguments and errors as for :func:`track`.

    ``watch`` is called with every frame that was read and the landmarks found in it.
    """
    model = head if isinstance(head, HeadModel) else load_head(head)
    network = _encoder(encoder, device, model, solve)
    known = _known_identity(identity, model)
    wanted_faces(faces)
    if any(layer.get("kind") == "mirror" for layer in filters):
        from ..refine.mirror import mirror_order

        mirror_order(model.expression_names)  # refuses heads without sides before anything is read
    plain = network is not None and not solve
    if plain and neutral_frame is not None:
        raise SmirkError("A neutral frame is of use to the solve only; leave out --no-solve or --neutral-frame.")
    if not plain and not {"mediapipe_478", "mediapipe_105"} & set(model.landmarks):
        raise AssetError(
            f"The head '{model.name}' has no MediaPipe landmarks, so footage cannot be solved on it; put "
            "mediapipe_landmark_embedding.npz of SMIRK's assets folder beside its file."
        )
    reading = read_faces(
        path, faces=faces, start=start, end=end, step=step, detector=detector, sequence=sequence, progress=progress,
        watch=watch, encoder=network, plain=plain,
    )  # fmt: skip
    if network is not None and network.head == "flame" and model.name.startswith("flame-2023"):
        remark = f"{network.name} was trained with FLAME 2020; on {model.name} its coefficients are other expressions"
        reading = replace(reading, notes=(*reading.notes, remark))
    if reading.stopped:
        progress = _undisturbed(progress)
    chosen = select_tracks(reading.tracks, faces)
    takes = []
    for face in chosen:
        encoded = None if reading.encoded is None else reading.encoded.of(face)
        if plain:
            assert encoded is not None
            take = _faithful(face, reading, model, encoded, known)
        else:
            take = _solve(face, reading, model, solve, neutral_frame, known, settings, progress, encoded)
        if network is not None and encoded is not None:
            header = replace(take.info, encoder=network.name, encoder_digest=network.digest)
            take = replace(take, info=header, network=network_arrays(encoded, face.times[face.seen]))
        takes.append(_filtered(take, filters, model))
    return takes


def _filtered(take: Take, filters: Sequence[Mapping[str, Any]], model: HeadModel) -> Take:
    """The take with its filters; one that does not fit costs the filters, not the minutes of tracking."""
    from ..refine.layers import UNFILTERED, apply_filters

    try:
        return apply_filters(take, filters, expression_names=model.expression_names) if filters else take
    except TakeError as error:
        notes = "; ".join(filter(None, [take.info.notes, f"{UNFILTERED}: {error}"]))
        return replace(take, info=replace(take.info, notes=notes))


def track(
    path: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    encoder: str | os.PathLike[str] | Encoder = "auto",
    device: str = "auto",
    solve: bool = True,
    faces: str | int = "largest",
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    filters: Sequence[Mapping[str, Any]] = (),
    progress: Progress = silent,
    detector: str = "auto",
    neutral_frame: int | None = None,
    identity: npt.ArrayLike | None = None,
    sequence: bool = False,
    settings: SolveSettings | None = None,
) -> Take:
    """Follow a face through a photo, a video or an image sequence.

    Args:
        path: see :func:`smirk_core.tracking.media.open_media`.
        head: "open", a head file, or a head.
        encoder: "auto" (the bundled one with the open head and the solve, else none), "none", "bundled", a file
            (SMIRK's ``.pt``, our ``.safetensors`` or ``.onnx``), or an encoder. What it says is kept in ``network`` of
            the take.
        device: where the encoder runs; see :func:`smirk_core.encoder.runtime.load_encoder`.
        solve: smooth the clip in time, with the encoder's word as one measurement among others; otherwise every frame
            stands alone (one identity all the same). With an encoder and without the solve the take is the
            encoder's word and nothing else: SMIRK's demo, its detector settings and its crop.
        faces: "largest", "all" or how many of the largest; this function returns the first of them.
        start, end, step: frames ``start, start + step, ...`` below ``end`` of the source.
        filters: layers of :func:`smirk_core.refine.layers.apply_filters`, over the raw take.
        progress: called for every frame ("Reading faces") and step ("Solving"). Where it raises ``Cancelled``, or on
            Ctrl-C, while frames are read, the frames read so far are solved and returned, and ``info.notes`` says
            "cancelled after N of M frames"; later the run ends. A second Ctrl-C always ends it.
        detector: "auto", "facemesh" or "landmarker"; see :func:`smirk_core.tracking.faces.create_detector`.
        neutral_frame: number of a frame of the source in which the face rests.
        identity: (K,) a known identity of this person, kept as it is.
        sequence: read the numbered run that starts at the picture ``path``.
        settings: of the clip solve, instead of its defaults.

    Returns:
        The take; times in seconds from the first frame of the source, a photo at 0.

    Raises:
        MediaError: the source cannot be read, shows no face, or ``neutral_frame`` is not in the range.
        AssetError: head, encoder or detector cannot be had.
        Cancelled: stopped before a face was seen, or while solving.
    """
    return track_all(
        path, head=head, encoder=encoder, device=device, solve=solve, faces=faces, start=start, end=end, step=step,
        filters=filters, progress=progress, detector=detector, neutral_frame=neutral_frame, identity=identity,
        sequence=sequence, settings=settings,
    )[0]  # fmt: skip


def _encoder(encoder: str | os.PathLike[str] | Encoder, device: str, model: HeadModel, solve: bool) -> Encoder | None:
    from ..encoder.runtime import check_head, load_encoder, usual_encoder

    if encoder == "auto":
        encoder = usual_encoder(model) if solve else "none"
    if encoder == "none":
        return None
    if isinstance(encoder, str | os.PathLike):
        return load_encoder(encoder, device, model)
    check_head(encoder, model)
    return encoder


def _known_identity(identity: npt.ArrayLike | None, model: HeadModel) -> tuple[float, ...] | None:
    if identity is None:
        return None
    values = np.asarray(identity, dtype=np.float64)
    if values.ndim != 1 or len(values) > model.identity_size or not np.isfinite(values).all():
        raise TakeError(
            f"The identity has shape {values.shape}; the head '{model.name}' takes up to {model.identity_size} "
            "finite numbers."
        )
    return tuple(values.tolist())


def _undisturbed(progress: Progress) -> Progress:
    """``progress`` that no longer cancels: what was read before the stop is to be solved in peace."""

    def report(stage: str, done: int, total: int | None) -> None:
        try:
            progress(stage, done, total)
        except Cancelled:
            return

    return report


def _neutral_position(face: FaceTrack, neutral_frame: int | None) -> int | None:
    """The seen position nearest to a frame of the source, not more than a step away from it."""
    if neutral_frame is None:
        return None
    indices = face.frame_indices
    position = int(np.argmin(np.abs(indices - neutral_frame)))
    step = int(np.diff(indices).max(initial=1))
    if abs(int(indices[position]) - neutral_frame) >= max(step, 1):
        raise MediaError(f"The neutral frame {neutral_frame} is not among the frames read.")
    if face.visibility[position] == 0:
        raise MediaError(f"The face is not seen in the neutral frame {neutral_frame}.")
    return position


def _solve(
    face: FaceTrack,
    reading: Reading,
    model: HeadModel,
    smooth: bool,
    neutral_frame: int | None,
    identity: tuple[float, ...] | None,
    settings: SolveSettings | None,
    progress: Progress,
    encoded: EncodedFaces | None,
) -> Take:
    from .solve import SolveSettings, solve_clip

    info = reading.info
    measured = None if encoded is None else measured_parameters(encoded, model)
    chosen = settings or SolveSettings()
    if identity is not None:
        chosen = replace(chosen, identity=identity)
    if neutral_frame is not None:
        chosen = replace(chosen, neutral_frame=_neutral_position(face, neutral_frame))
    if not smooth:
        chosen = replace(chosen, smoothing=0.0)
    solution = solve_clip(
        model, face.observations(info.width, info.height, reading.detector), chosen, progress, measured
    )
    groups = {name: np.asarray(values, dtype=np.float32) for name, values in solution.groups.items()}
    header = _header(face, reading, model, asdict(chosen) if smooth else {})
    return Take(header, face.times, np.asarray(solution.identity, dtype=np.float32), groups, groups)


def _faithful(
    face: FaceTrack,
    reading: Reading,
    model: HeadModel,
    encoded: EncodedFaces,
    identity: tuple[float, ...] | None,
) -> Take:
    """A take that is the encoder's word alone."""
    measured = measured_parameters(encoded, model)
    groups = faithful_groups(measured, face.seen, face.times)
    code = measured.identity
    if identity is not None:
        code = np.zeros(model.identity_size)
        code[: len(identity)] = identity
    return Take(_header(face, reading, model, {}), face.times, np.asarray(code, np.float32), groups, groups)


def _header(face: FaceTrack, reading: Reading, model: HeadModel, solve: Mapping[str, Any]) -> TakeInfo:
    info = reading.info
    return TakeInfo(
        source=info.path, kind=info.kind, rate=info.rate, width=info.width, height=info.height,
        face=face.number, head=model.name, head_digest=model.digest, solve=solve,
        software=f"smirk {__version__}", start=float(face.times[0]), rotation=info.rotation,
        notes="; ".join((*reading.notes, *model.notes)),
    )  # fmt: skip
