# SPDX-License-Identifier: Apache-2.0
"""Who the held-out portraits show: person and kind of every file, read from the collection's index."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from smirk_core.errors import TrainingError

__all__ = ["ATTRIBUTION", "SHOWABLE", "Portrait", "held_out_portraits"]

ATTRIBUTION = (
    "Face Research Lab London Set (Version 5), L. DeBruine and B. Jones 2017, doi 10.6084/m9.figshare.5047666.v5, "
    "CC BY 4.0; Young Adult White Faces with Manipulated Versions, L. DeBruine and B. Jones 2017, "
    "doi 10.6084/m9.figshare.4220517.v1, CC BY 4.0"
)
SHOWABLE = ("neutral_front", "smiling_front", "canada")  # collections whose licence lets pictures be shown


@dataclass(frozen=True)
class Portrait:
    """One file: ``person`` is the same in all pictures of somebody, ``kind`` the folder it came from."""

    name: str
    person: str
    kind: str

    @property
    def neutral(self) -> bool:
        return self.kind != "smiling_front"


def held_out_portraits(faces: Path) -> list[Portrait]:
    """All portraits of the split ``eval``, in the order of their names.

    Args:
        faces: the folder with ``index.csv``.

    Raises:
        TrainingError: there is no index, or it lists none.
    """
    try:
        with (faces / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = [r for r in csv.DictReader(file) if r["split"] == "eval"]
    except (OSError, KeyError) as error:
        raise TrainingError(f"{faces} has no index.csv of portraits ({error}).") from error
    if not rows:
        raise TrainingError(f"{faces}/index.csv lists no portraits of the split eval.")
    found = []
    for row in rows:
        source = Path(row["source_path"])
        kind = source.parent.name
        # London: 018_03.jpg is person 018; Canada: 003f.jpg; the two small sets show one person each.
        person = f"london-{source.stem[:3]}" if kind.endswith("_front") else f"{kind}-{source.stem}"
        found.append(Portrait(Path(row["file"]).name, kind if kind in ("lisa", "zoom") else person, kind))
    return sorted(found, key=lambda p: p.name)
