# SPDX-License-Identifier: Apache-2.0
"""Heads by name or file: the one door through which every part of the product gets a :class:`HeadModel`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from ..errors import AssetError
from ..user_assets import FLAME_KINDS, find
from .flame import EXPRESSIONS, Eyelids, load_flame
from .flame_assets import AROUND, find_file, search_folders
from .head_model import HeadModel
from .open_head import OPEN_HEAD_PATH, load_open_head

__all__ = ["HEAD_NAMES", "HEAD_SUFFIXES", "find_head", "head_of_take", "is_head_name", "load_head"]

HEAD_NAMES: tuple[str, ...] = ("open", "flame", *FLAME_KINDS)
HEAD_SUFFIXES: tuple[str, ...] = (".npz", ".pkl")
_IMPORT = "import it with 'smirk assets import FOLDER'"
_PathLike = str | os.PathLike[str]


class TakeLike(Protocol):
    """What is asked of a take: its header and its groups."""

    @property
    def info(self) -> Any: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


def is_head_name(head: _PathLike) -> bool:
    """Whether ``head`` is one of :data:`HEAD_NAMES`, or a file's name that could be a head."""
    return str(head) in HEAD_NAMES or Path(head).suffix.lower() in HEAD_SUFFIXES


def load_head(
    head: _PathLike = "open",
    *,
    eyelids: Eyelids = "rig",
    assets: _PathLike | None = None,
    expressions: int = EXPRESSIONS,
) -> HeadModel:
    """A head by name or file; the last ones are kept in memory.

    Args:
        head: ``open``, a ``.npz`` file in the open head's format, a FLAME ``.pkl``, or the name of a FLAME that the
            user has imported: ``flame-2020-generic``, …, or ``flame`` for the first that is there.
        eyelids, assets, expressions: of FLAME, see :func:`smirk_core.heads.flame.load_flame`. The default here is lids
            that turn with the head, as in every rig.

    Raises:
        AssetError: the file is missing, damaged or of another kind, or no such FLAME has been imported.
    """
    name = str(head)
    if name == "open":
        return load_open_head(OPEN_HEAD_PATH)
    if name in HEAD_NAMES:
        kinds = FLAME_KINDS if name == "flame" else (name,)
        path = next((p for p in map(find, kinds) if p is not None), None)
        if path is None:
            which = "no FLAME model" if name == "flame" else f"no {name}"
            raise AssetError(
                f"There is {which} among your files; get it from https://flame.is.tue.mpg.de and {_IMPORT}."
            )
        return _flame(path, eyelids, assets, expressions)
    path = Path(head)
    suffix = path.suffix.lower()
    if suffix == ".pkl":
        return _flame(path, eyelids, assets, expressions)
    if suffix == ".npz":
        return load_open_head(path)
    raise AssetError(
        f"Cannot use {path} as a head: give 'open', a .npz file in the open head's format, a FLAME .pkl file, or the "
        f"name of an imported one ({', '.join(HEAD_NAMES[1:])})."
    )


def _flame(path: Path, eyelids: Eyelids, assets: _PathLike | None, expressions: int) -> HeadModel:
    folder = None if assets is None else Path(assets).resolve()
    path = path.resolve()
    folders = search_folders(path, folder)
    files = [path, *(found for kind in AROUND if (found := find_file(kind, folders)) is not None)]
    stamps = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
    return _cached_flame(path, eyelids, folder, expressions, stamps)


@lru_cache(maxsize=4)
def _cached_flame(path: Path, eyelids: Eyelids, assets: Path | None, expressions: int, stamps: object) -> HeadModel:
    return load_flame(path, eyelids=eyelids, assets=assets, expressions=expressions)


def find_head(
    name: str,
    digest: str,
    hint: _PathLike | None = None,
    *,
    eyelids: Eyelids = "rig",
    expressions: int = EXPRESSIONS,
) -> HeadModel:
    """The head that something was made with: the bundled one, an imported FLAME, or the one that ``hint`` names.

    Args:
        name, digest: as a take or a head in Blender carries them; the digest decides where there is one.
        hint: a head for :func:`load_head`, which must then be the right one.
        eyelids, expressions: see :func:`load_head`.

    Raises:
        AssetError: it is not here; the message says what was looked for and what to do.
    """
    made = (name or "an unknown head") + (f" ({digest[:8]})" if digest else "")
    if hint is not None:
        head = load_head(hint, eyelids=eyelids, expressions=expressions)
        if not _is(head, name, digest):
            raise AssetError(f"This was made with {made}, not with {head.name} ({head.digest[:8]}); give that head.")
        return head
    bundled = load_head("open")
    if _is(bundled, name, digest) or not (name or digest):
        return bundled
    other = bundled.name == name
    for kind in sorted(FLAME_KINDS, key=lambda kind: kind != name):
        if find(kind) is None:
            continue
        head = load_head(kind, eyelids=eyelids, expressions=expressions)
        if _is(head, name, digest):
            return head
        other = other or head.name == name
    here = "of which another version is here" if other else "a head that is not here"
    what = f"{_IMPORT}, or name its file with --head" if name.startswith("flame") else "name its file with --head"
    raise AssetError(f"This was made with {made}, {here}: {what}.")


def _is(head: HeadModel, name: str, digest: str) -> bool:
    return head.digest == digest if digest else head.name == name


def head_of_take(take: TakeLike, hint: _PathLike | None = None) -> HeadModel:
    """The head that a take was made with, as :func:`find_head` finds it, with as many expressions as the take has.

    Parameters straight from the image encoder, without a solve, belong to lids that do not turn with the head
    (``faithful``): so the network was trained. Everything else is solved and animated with lids that do.

    Raises:
        AssetError: it is not here; the message says what was looked for and what to do.
    """
    info = take.info
    expression = take.raw.get("expression")
    width = 0 if expression is None else expression.shape[1]
    faithful = info.encoder != "none" and not info.solve
    return find_head(
        info.head,
        info.head_digest,
        hint,
        eyelids="faithful" if faithful else "rig",
        expressions=max(EXPRESSIONS, min(width, 100)),
    )
