# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training run: whole or not there, checked by their hash, nothing in them runs.

A checkpoint is a folder ``step-00001000`` with ``state.pt`` (or ``state.pt.000``, ``.001``, … of at most so many MiB),
``config.yaml`` and ``manifest.json``. It is written under another name and renamed when it is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from smirk_core.errors import TrainingError

from .config import Config, load_config, to_yaml

__all__ = ["checkpoints", "latest", "load", "save"]

_FORMAT = 1


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a run's folder, oldest first."""
    found = [p for p in folder.glob("step-*") if (p / "manifest.json").is_file()]
    return sorted(found, key=lambda p: p.name)


def save(folder: Path, step: int, state: dict[str, Any], config: Config, *, keep: int = 2, part_mib: int = 0) -> Path:
    """Write a checkpoint of tensors, numbers, words, lists and dictionaries; older ones than ``keep`` are deleted.

    Raises:
        TrainingError: the folder cannot be written, or the disk is full; older checkpoints stay.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    length = part_mib << 20 if part_mib else max(len(data), 1)
    parts = [data[at : at + length] for at in range(0, len(data), length)]
    names = ["state.pt"] if len(parts) == 1 else [f"state.pt.{n:03}" for n in range(len(parts))]
    manifest = {
        "format": _FORMAT,
        "step": step,
        "parts": names,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "torch": torch.__version__,
    }
    target = folder / f"step-{step:08}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for rest in folder.glob(".saving-*"):  # of a run that was killed while it wrote
            shutil.rmtree(rest, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder))
        try:
            for name, part in zip(names, parts, strict=True):
                _write(temporary / name, part)
            _write(temporary / "config.yaml", to_yaml(config).encode())
            _write(temporary / "manifest.json", json.dumps(manifest, indent=1).encode())
            temporary.chmod(0o755)
            if target.exists():  # the same step again, after a resume
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for old in checkpoints(folder)[: -max(keep, 1)]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise TrainingError(f"Cannot write {target}: {error.strerror or error}.") from error
    return target


def _write(path: Path, data: Any) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load(checkpoint: Path, device: str = "cpu") -> tuple[dict[str, Any], Config]:
    """What :func:`save` wrote, and its settings.

    Raises:
        TrainingError: a part is missing, damaged or of another kind.
    """
    try:
        manifest = json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
        names = [str(n) for n in manifest["parts"]]
        if any(Path(n).name != n for n in names):
            raise TrainingError(f"{checkpoint} names files outside its folder.")
        data = b"".join((checkpoint / n).read_bytes() for n in names)
        if manifest["format"] != _FORMAT:
            raise TrainingError(f"{checkpoint} is of another version of this software.")
        if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
            raise TrainingError(f"{checkpoint} is damaged: its hash is not that of its manifest.")
        state = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
        return state, load_config(checkpoint / "config.yaml")
    except OSError as error:
        raise TrainingError(f"{checkpoint} is incomplete: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{checkpoint} is damaged: {error}.") from error


def latest(folder: Path) -> tuple[Path, dict[str, Any], Config] | None:
    """The newest checkpoint of a run that can be read; one that cannot is passed over with a word about it."""
    for path in reversed(checkpoints(folder)):
        try:
            return path, *load(path)
        except TrainingError as error:
            print(f"Passed over: {error}")
    return None
