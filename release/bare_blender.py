# SPDX-License-Identifier: Apache-2.0
"""A Blender of one's own: its Python with nothing in it but what Blender brings, and an empty user folder."""

from __future__ import annotations

import os
import re
import sys
import venv
from importlib import metadata
from pathlib import Path

__all__ = ["Home", "bare_blender"]


class Home:
    """Folders of a person who has never used Blender: settings, home and temporary files, all empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.resources, self.home, self.temporary = (folder / n for n in ("resources", "home", "tmp"))
        for path in (self.resources, self.home, self.temporary):
            path.mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours: no PYTHONPATH, no SMIRK_*, no virtual environment."""
        kept = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LANG", "LD_LIBRARY_PATH") if k in os.environ}
        return {
            **kept, "HOME": str(self.home), "USERPROFILE": str(self.home), "LOCALAPPDATA": str(self.home),
            "TMPDIR": str(self.temporary), "TEMP": str(self.temporary), "TMP": str(self.temporary),
            "BLENDER_USER_RESOURCES": str(self.resources), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip

    def files(self) -> list[str]:
        """Everything that lies in the folders, relative to them."""
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if not p.is_dir())


def bare_blender(folder: Path) -> Path:
    """A virtual environment that sees bpy and what bpy requires, by links, and no other package; returns its Python."""
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    site = next(folder.glob("Lib/site-packages" if sys.platform == "win32" else "lib/python*/site-packages"))
    todo, seen = ["bpy"], set()
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python
        for top in {f.parts[0] for f in package.files or () if f.parts[0] not in ("..", "__pycache__")}:
            source, link = Path(str(package.locate_file(top))), site / top
            if source.exists() and not link.exists():
                link.symlink_to(source)
        requires = [r for r in package.requires or () if "extra ==" not in r]
        todo += [found[0] for r in requires if (found := re.match(r"[\w.-]+", r))]
    assert "mediapipe" not in seen and (site / "bpy").exists()
    return python
