# SPDX-License-Identifier: Apache-2.0
"""Copies the user's own model files into the data folder: found in folders and zip archives, never moved."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .. import user_assets
from ..asset_catalog import CATALOG
from ..errors import AssetError, SmirkError
from ..export.atomic import atomic
from ..progress import Progress, silent
from .recognise import CANDIDATES, recognise

__all__ = ["ImportEntry", "ImportReport", "import_files"]

_CHUNK = 1 << 20
_MOST_UNZIPPED = 4 << 30  # bytes of all candidates in one archive


@dataclass(frozen=True)
class ImportEntry:
    """What became of one file.

    Attributes:
        source: the file as the user knows it; inside an archive ``ARCHIVE.zip/NAME``.
        kind: one of :data:`smirk_core.user_assets.KINDS`; "" where it is none of them.
        path: where it is kept now; None where it was skipped.
        verified: it is, byte for byte, a file that is known.
        note: why it was skipped, or what it replaced.
        copied: False where the same file was there already.
    """

    source: str
    kind: str = ""
    path: Path | None = None
    verified: bool = False
    note: str = ""
    copied: bool = False

    @property
    def text(self) -> str:
        """One line for a person."""
        if self.path is None:
            return f"skipped {self.source}: {self.note}"
        what = CATALOG[self.kind].title + ("" if self.verified else " (a variant that is not known)")
        return f"{'copied' if self.copied else 'already here'}: {what} from {self.source}" + (
            f"; {self.note}" if self.note else ""
        )


@dataclass
class ImportReport:
    """Everything that an import looked at, in the order in which it did."""

    entries: list[ImportEntry] = field(default_factory=list)

    @property
    def kept(self) -> list[ImportEntry]:
        """What is in the data folder now."""
        return [e for e in self.entries if e.path is not None]

    @property
    def skipped(self) -> list[ImportEntry]:
        return [e for e in self.entries if e.path is None]


@dataclass(frozen=True)
class _Found:
    """A candidate that was recognised, before anything is copied."""

    source: str
    kind: str
    digest: str
    origin: Path  # the file, or the archive that it is in
    member: str = ""

    @property
    def verified(self) -> bool:
        return user_assets.KNOWN_SHA256.get(self.digest) == self.kind


def import_files(
    paths: Sequence[str | os.PathLike[str]], progress: Progress = silent, *, kind: str | None = None
) -> ImportReport:
    """Recognise and copy.

    Where several files are of one kind, one whose fingerprint is known comes first, else the first found; it replaces
    an older one in the data folder, unless that one is known and this is not.

    Args:
        paths: files, folders (searched with everything below them), and zip archives of FLAME's downloads.
        kind: what the file is, where only the user can tell (which FLAME it is); what is no such file is still refused.

    Raises:
        AssetError: a path does not exist, the kind is none, or the data folder cannot be written. Cancelled: by
            ``progress``; what was copied until then stays.
    """
    if kind is not None and kind not in user_assets.KINDS:
        raise AssetError(f"There is no asset '{kind}'; there are {', '.join(user_assets.KINDS)}.")
    given = [Path(p) for p in paths]
    for path in given:
        if not path.exists():
            raise AssetError(f"There is no file or folder {path}.")
    report = ImportReport()
    found: list[_Found] = []
    candidates = list(_walk(given))
    for index, path in enumerate(candidates):
        progress("Looking", index, len(candidates))
        looked = _look_into_zip(path) if path.suffix.lower() == ".zip" else [_look(path, str(path), path)]
        for thing in looked:
            if isinstance(thing, ImportEntry):
                report.entries.append(thing)
            else:
                found.append(_called(thing, kind))
    progress("Looking", len(candidates), len(candidates))
    chosen: dict[str, _Found] = {}
    for thing in sorted(found, key=lambda f: not f.verified):
        first = chosen.setdefault(thing.kind, thing)
        if first is not thing:
            note = (
                f"the same as {first.source}" if first.digest == thing.digest else f"{first.source} was taken instead"
            )
            report.entries.append(ImportEntry(thing.source, note=note))
    for index, thing in enumerate(chosen.values()):
        progress("Copying", index, len(chosen))
        report.entries.append(_keep(thing))
    progress("Copying", len(chosen), len(chosen))
    return report


def _walk(given: Iterable[Path]) -> Iterator[Path]:
    """Files that could be ours by their suffix; given files in any case. Hidden folders and our own are left alone."""
    own = user_assets.data_folder().resolve()
    for start in given:
        if start.is_file():
            yield start
            continue
        for folder, folders, files in os.walk(start):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and (Path(folder) / f).resolve() != own)
            for name in sorted(files):
                path = Path(folder) / name
                if not name.startswith(".") and path.suffix.lower() in (*CANDIDATES, ".zip") and path.is_file():
                    yield path


def _look(path: Path, source: str, origin: Path, member: str = "") -> _Found | ImportEntry:
    suffix = path.suffix.lower()
    if suffix not in CANDIDATES:
        return ImportEntry(source, note="of no use here")
    try:
        if path.stat().st_size > CANDIDATES[suffix]:
            return ImportEntry(source, note="too large to be one of the files that are needed")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        kind, why = recognise(path, digest, source)
    except OSError as error:
        return ImportEntry(source, note=f"it cannot be read ({error.strerror or error})")
    except SmirkError as error:
        return ImportEntry(source, note=str(error))
    return _Found(source, kind, digest, origin, member) if kind else ImportEntry(source, note=why)


def _called(thing: _Found, kind: str | None) -> _Found:
    """The user's word counts among FLAME's models and between the two lids, which look alike."""
    alike = (set(user_assets.FLAME_KINDS), {"l_eyelid", "r_eyelid"})
    if kind is None or kind == thing.kind or not any({kind, thing.kind} <= group for group in alike):
        return thing
    return _Found(thing.source, kind, thing.digest, thing.origin, thing.member)


def _look_into_zip(path: Path) -> list[_Found | ImportEntry]:
    results: list[_Found | ImportEntry] = []
    left = _MOST_UNZIPPED
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                suffix = PurePosixPath(info.filename).suffix.lower()
                if info.is_dir() or suffix not in CANDIDATES:
                    continue
                source = f"{path}/{_printable(info.filename)}"
                left -= info.file_size
                if info.file_size > CANDIDATES[suffix] or left < 0:
                    results.append(ImportEntry(source, note="too large to be one of the files that are needed"))
                    continue
                with _unpacked(archive, info) as file:
                    results.append(_look(file, source, path, info.filename))
    except (SmirkError, OSError) as error:
        results.append(ImportEntry(str(path), note=str(error)))
    except Exception as error:  # a damaged archive: zip, zlib, struct, a password
        results.append(ImportEntry(str(path), note=f"the archive is damaged or locked ({type(error).__name__})"))
    return results or [ImportEntry(str(path), note="an archive without any of the files that are needed")]


@contextmanager
def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Path]:
    """A member as a file that lasts as long as the block; its name is ours, only the suffix is the archive's."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise AssetError("packed in a way that cannot be read safely")
    with tempfile.TemporaryDirectory(prefix="smirk-") as folder:
        path = Path(folder) / f"member{PurePosixPath(info.filename).suffix.lower()}"
        with archive.open(info) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        yield path


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)


def _keep(thing: _Found) -> ImportEntry:
    """Copy into the data folder; what was there goes when the new file is whole."""
    folder, old = user_assets.place(thing.kind), user_assets.find(thing.kind)
    note = ""
    if old is not None:
        known = user_assets.digest_of(old)
        if known == thing.digest:
            return ImportEntry(thing.source, thing.kind, old, thing.verified)
        if user_assets.KNOWN_SHA256.get(known) == thing.kind and not thing.verified:
            return ImportEntry(
                thing.source, note=f"the known file is kept (smirk assets remove {thing.kind} makes place for this one)"
            )
        note = f"replaces {old.name}"
    name = PurePosixPath(thing.member).name if thing.member else thing.origin.name
    target = folder / (re.sub(r"[^\w. -]", "_", name).lstrip(". ") or "file")
    if thing.member:
        with zipfile.ZipFile(thing.origin) as archive, _unpacked(archive, archive.getinfo(thing.member)) as file:
            _copy(file, target, thing)
    else:
        _copy(thing.origin, target, thing)
    for other in folder.iterdir():
        if other != target and other.is_file():
            other.unlink(missing_ok=True)
    return ImportEntry(thing.source, thing.kind, target, thing.verified, note, copied=True)


def _copy(source: Path, target: Path, thing: _Found) -> None:
    digest = hashlib.sha256()
    with atomic(target) as temporary, source.open("rb") as read, temporary.open("wb") as write:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
        if digest.hexdigest() != thing.digest:
            raise AssetError(f"{thing.source} changed while it was copied; import it again.")
