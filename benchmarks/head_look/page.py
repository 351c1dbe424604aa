# SPDX-License-Identifier: Apache-2.0
"""The table of docs/head.md, from the figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["table", "write_table"]

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(measure, figure, asked) of what has been measured."""
    if p := report.get("polygons"):
        yield "mesh", f"{p['vertices']:,} vertices, {p['polygons']:,} polygons, {p['triangles']:,} triangles", ""
    if s := report.get("sizes"):
        yield "everything of the head in the zip", f"{s['head_mb']} MB", "< 15 MB"
    if r := report.get("rebuild"):
        same = "same bytes" if r["same_bytes_twice"] else "**differ**"
        shipped = "also as shipped" if r["as_shipped"] else "**not as shipped**"
        yield "built twice, with different hash seeds", f"{same}, {shipped}", "same"
    if lids := report.get("lids"):
        what = f"{lids['people']} people × {lids['states']} states of gaze and blink"
        yield f"vertices of the lids inside the eyeballs, {what}", f"{lids['through']:,} of {lids['tested']:,}", "0"
        gap = f"mean {lids['gap_mean_mm']} mm, 99 % below {lids['gap_99_mm']}, most {lids['gap_most_mm']}"
        yield "gap between the lids' inner edge and the eye", gap, "< 0.3 mm"
    if m := report.get("mouth"):
        for name, words in m["rows"].items():
            yield f"mouth: {name}", words, ""
    if u := report.get("stretch"):
        for part, f in u.items():
            if isinstance(f, dict) and "ratio_median" in f:
                words = f"median {f['ratio_median']}, 95 % below {f['ratio_95']}, scale varies × {f['scale_95_to_5']}"
                yield f"texture layout of the {part}: longer to shorter axis", words, "little"
    if d := report.get("detection"):
        share = f"{d['found']} of {d['pictures']} ({d['share']:.1%})"
        yield "MediaPipe finds a face: random people, expressions, turns, paint and lamps, 256 px", share, "≥ 99.5 %"
    for version, rows in (report.get("frame") or {}).items():
        if version[0].isdigit():
            words = "; ".join(f"{name} {row['frame_cpu_ms']} ms" for name, row in rows.items() if "frame_cpu_ms" in row)
            yield f"processor time of a frame, all curves moving, Blender {version}", words, "stated"


def table(report: dict[str, Any]) -> str:
    """Markdown, one row a measure."""
    lines = ["| measure | figure | asked |", "|---|---|---|"]
    return "\n".join(lines + [f"| {m} | {f} | {a} |" for m, f, a in _rows(report)])


def write_table(report: dict[str, Any], path: Path) -> None:
    """Replace what is between the two marks of the page; nothing where there is no page or no marks."""
    words = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN in words and END in words:
        before, after = words.split(BEGIN)[0], words.split(END)[1]
        path.write_text(f"{before}{BEGIN}\n{table(report)}\n{END}{after}", encoding="utf-8")
