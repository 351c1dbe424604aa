# SPDX-License-Identifier: Apache-2.0
"""How a track is asked for, on the command line and in a worker's job, checked before anything is opened."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..encoder.runtime import DEVICES, find_encoder
from ..errors import AssetError, Cancelled, SmirkError
from ..heads.library import HEAD_NAMES, is_head_name
from ..progress import Progress, silent
from ..refine.layers import check_layer, parse_layer
from ..take import Take

if TYPE_CHECKING:
    from ..tracking.tracker import Watcher

__all__ = ["TrackOptions", "add_track_arguments"]


@dataclass(frozen=True)
class TrackOptions:
    """Everything that shapes a track but the medium itself.

    Attributes:
        head: ``open``, a ``.npz`` in the open head's format, a FLAME ``.pkl``, or the name of an imported FLAME.
        encoder: ``auto`` (the bundled one with the open head and the solve, else none), ``none``, ``bundled``,
            ``smirk`` (the user's imported checkpoint), or a file: SMIRK's ``.pt``, our ``.safetensors`` or ``.onnx``.
        solve: fit the whole clip at once; without it every frame stands alone, and with an encoder the take is the
            encoder's word alone.
        faces: ``largest``, ``all``, or how many.
        start, end, step: frames of the source; ``end`` is the first frame left out.
        neutral_frame: frame of the source in which the face rests; ``None``: found by itself.
        device: where the encoder runs.
        filters: layers of :mod:`smirk_core.refine.layers`.
        sequence: a picture with a number in its name stands for the whole numbered run.
    """

    head: str = "open"
    encoder: str = "auto"
    solve: bool = True
    faces: str | int = "largest"
    start: int = 0
    end: int | None = None
    step: int = 1
    neutral_frame: int | None = None
    device: str = "auto"
    filters: tuple[Mapping[str, Any], ...] = ()
    sequence: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            SmirkError: one line that says what is wrong and what to do.
        """
        if not is_head_name(self.head):
            raise AssetError(
                f"Cannot use {self.head} as a head: give open, a .npz file in the bundled head's format, a FLAME .pkl "
                f"file, or the name of an imported one ({', '.join(HEAD_NAMES[1:])})."
            )
        if self.device not in DEVICES:
            raise SmirkError(f"Unknown device '{self.device}'; there are {', '.join(DEVICES)}.")
        if self.encoder not in ("auto", "none"):
            find_encoder(self.encoder)
        elif self.device not in ("auto", "cpu"):
            raise SmirkError(f"Without an encoder nothing runs on {self.device}; use --device auto.")
        faces = self.faces
        if not (faces in ("largest", "all") or (isinstance(faces, int) and faces >= 1)):
            raise SmirkError(f"--faces is 'largest', 'all' or a number from 1 on, not {faces!r}.")
        if self.start < 0 or self.step < 1 or (self.end is not None and self.end <= self.start):
            raise SmirkError("--start counts from 0, --end comes after --start, and --step is 1 or more.")
        if self.neutral_frame is not None and self.neutral_frame < 0:
            raise SmirkError("--neutral-frame counts from 0.")

    @staticmethod
    def from_arguments(arguments: argparse.Namespace) -> TrackOptions:
        """Options from parsed command-line arguments."""
        faces = arguments.faces
        return TrackOptions(
            head=arguments.head,
            encoder=arguments.encoder,
            solve=arguments.solve,
            faces=int(faces) if faces.lstrip("-").isdecimal() else faces,
            start=arguments.start,
            end=arguments.end,
            step=arguments.step,
            neutral_frame=arguments.neutral_frame,
            device=arguments.device,
            filters=tuple(parse_layer(text) for text in arguments.filter),
            sequence=arguments.sequence,
        )

    @staticmethod
    def from_job(job: Mapping[str, Any]) -> TrackOptions:
        """Options from a worker's job; keys that are missing keep their defaults.

        Raises:
            SmirkError: a key is unknown or a value of the wrong kind.
        """
        known = {f.name for f in fields(TrackOptions)}
        unknown = sorted(set(job) - known)
        if unknown:
            raise SmirkError(f"The job has an unknown key '{unknown[0]}'.")
        values = dict(job)
        values["filters"] = tuple(check_layer(layer) for layer in job.get("filters") or ())
        try:
            return TrackOptions(**values)
        except TypeError as error:
            raise SmirkError("The job holds a value of the wrong kind.") from error

    def run(self, media: str, progress: Progress = silent, watch: Watcher | None = None) -> list[Take]:
        """Track one medium: a take per face asked for, largest first.

        A stop while frames are read keeps what was read; one that comes while solving is heard when the solve is done,
        because reading is the long part and the solve takes seconds.

        Raises:
            SmirkError: the medium cannot be read, shows no face, or the run was cancelled before anything was found.
        """
        from ..tracking.tracker import track_all

        def patient(stage: str, done: int, total: int | None) -> None:
            try:
                progress(stage, done, total)
            except Cancelled:
                if stage != "Solving":
                    raise

        return track_all(
            os.path.abspath(media),  # noqa: PTH100 - may be a pattern; a take must find its footage from any folder
            head=self.head,
            encoder=self.encoder,
            device=self.device,
            solve=self.solve,
            faces=self.faces,
            start=self.start,
            end=self.end,
            step=self.step,
            filters=self.filters,
            progress=patient,
            neutral_frame=self.neutral_frame,
            sequence=self.sequence,
            watch=watch,
        )


def add_track_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every tracking command has."""
    group = parser.add_argument_group("tracking")
    group.add_argument(
        "--head",
        default="open",
        metavar="open|FILE|NAME",
        help="head model: the bundled one (default), a .npz in its format, a FLAME .pkl, or an imported FLAME's name",
    )
    group.add_argument(
        "--encoder",
        default="auto",
        metavar="auto|none|bundled|smirk|FILE",
        help="image encoder: the bundled one, SMIRK's .pt, .safetensors, .onnx, or none: landmarks and the solve do "
        "the work (default: auto, the bundled one with the open head and the solve)",
    )
    group.add_argument(
        "--solve",
        default=True,
        action=argparse.BooleanOptionalAction,
        help="fit the whole clip at once (default), or every frame alone; with an encoder: its word and nothing else",
    )
    group.add_argument("--faces", default="largest", metavar="largest|all|N", help="whom to track (default: largest)")
    group.add_argument("--start", type=int, default=0, metavar="FRAME", help="first frame, counted from 0")
    group.add_argument("--end", type=int, metavar="FRAME", help="frame to stop before (default: the end)")
    group.add_argument("--step", type=int, default=1, metavar="N", help="take every Nth frame")
    group.add_argument(
        "--neutral-frame", type=int, metavar="FRAME", help="a frame in which the face rests (default: found by itself)"
    )
    group.add_argument(
        "--sequence", action="store_true", help="MEDIA is a picture of a numbered run; read the whole run"
    )
    group.add_argument("--device", default="auto", choices=DEVICES, help="where the encoder runs")
    group.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KIND[:KEY=VALUE,…]",
        help="refine: savgol, median, one_euro, gaps, neutral, gain, mirror or offset, e.g. "
        "savgol:window=9,mouth=0.5,head=1 or gain:mouth=1.3; may be repeated, the order counts",
    )
