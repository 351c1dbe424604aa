# SPDX-License-Identifier: Apache-2.0
"""Which triangles lend pixels, and libraries of expressions."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.errors import AssetError, TakeError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.heads.presets import PRESETS  # noqa: E402
from smirk_core.neural.augmentation import ArkitAugmentation, FlameAugmentation  # noqa: E402
from smirk_core.neural.region_weights import flame_triangle_regions, flame_weights, region_weights  # noqa: E402
from smirk_core.neural.templates import FAMOS_CLASSES, famos_templates, named_library  # noqa: E402

ORDER = ("neck", "right_eyeball", "right_ear", "lips", "nose", "left_ear", "eye_region", "forehead",
         "left_eye_region", "right_eye_region", "face_clean", "cleaner_lips")  # fmt: skip


@pytest.fixture(scope="module")
def head():
    return load_head("open")


def test_skin_of_the_face_lends_pixels_and_the_rest_does_not(head):
    weights = region_weights(head).numpy()
    corners = np.asarray(head.triangles)
    assert weights.shape == (len(corners),) and weights.dtype == np.float32
    assert set(np.unique(weights)) == {0.0, 0.5, 1.0}
    for name in ("left_eyeball", "ears", "neck", "scalp", "teeth", "tongue", "lashes", "mouth_interior", "sockets"):
        assert weights[head.regions[name][corners].any(1)].max() == 0, name
    for name, value in (("nose", 0.5), ("forehead", 1.0), ("cheeks", 1.0)):
        inside = head.regions[name][corners].all(1) & (weights > 0)
        assert inside.mean() > 0.01 and (weights[inside] == value).mean() > 0.9, name
    lips = head.regions["lips"][corners].all(1)
    assert set(np.unique(weights[lips])) <= {0.0, 0.5} and (weights[lips] == 0.5).mean() > 0.4
    middle = head.template[corners].mean(1)
    left, right = (weights[s * middle[:, 0] > 1e-4].sum() for s in (1, -1))
    assert abs(left - right) / left < 0.02


def test_flames_weights_are_written_in_order():
    """Each region of five triangles overlaps the next by one; later ones win, what is in none stays 0."""
    regions = {name: np.arange(4 * i, 4 * i + 5) for i, name in enumerate(ORDER)}
    weights = flame_weights(regions, 60)
    expected = {"neck": 0, "right_eyeball": 0, "right_ear": 0, "lips": 0.5, "nose": 0.5, "left_ear": 0}
    for i, name in enumerate(ORDER):
        assert (weights[4 * i : 4 * i + 4] == expected.get(name, 1)).all(), name
    assert (weights[49:] == 0).all()
    with pytest.raises(AssetError, match="cleaner_lips"):
        flame_weights({n: r for n, r in regions.items() if n != "cleaner_lips"}, 60)


def masks_file(path: Path, regions) -> Path:
    array = np.empty((), object)
    array[()] = regions
    np.save(path, array, allow_pickle=True)
    return path


def test_flames_regions_come_from_the_users_file(tmp_path, head):
    regions = {name: np.arange(3 * i, 3 * i + 3) for i, name in enumerate(ORDER)}
    path = masks_file(tmp_path / "FLAME_masks_triangles.npy", regions)
    weights = region_weights(head, path)
    assert len(weights) == len(head.triangles) and weights.sum() == 6 * 3 * 1.0 + 2 * 3 * 0.5
    for bad, message in (
        ({"neck": np.array([99999])}, "does not fit"), ({"neck": "x"}, "does not hold"),
        ([1], "does not hold"), ({}, "does not hold"),
    ):  # fmt: skip
        with pytest.raises(AssetError, match=message):
            flame_triangle_regions(masks_file(tmp_path / "bad.npy", bad), 100)


def test_flame_without_that_file_takes_its_vertex_regions(head):
    """The bundled head with FLAME's names for its regions stands in."""
    old = head.regions
    nothing = np.zeros(len(head.template), bool)
    flame = {n: old[n] for n in ("face", "neck", "lips", "nose", "forehead", "scalp", "left_eyeball", "right_eyeball")}
    flame |= {"eye_region": old["eyes"], "left_eye_region": nothing, "right_eye_region": nothing,
              "left_ear": old["ears"], "right_ear": old["ears"]}  # fmt: skip
    weights = region_weights(replace(head, regions=flame)).numpy()
    corners = np.asarray(head.triangles)
    assert weights[old["left_eyeball"][corners].any(1)].max() == 0
    assert weights[old["eyes"][corners].all(1)].min() == 1 and (weights == 0.5).sum() > 100
    with pytest.raises(AssetError, match="FLAME_masks"):
        region_weights(replace(head, regions={}))


def test_the_library_of_names_is_what_the_presets_say(head):
    library = named_library(head)
    shown = [p for p in PRESETS if any(p.weights.values())]
    assert len(library["expression"]) == len(library["jaw"]) == len(library["eyelids"]) == len(shown) >= 35
    assert sum(p.kind == "viseme" for p in shown) == 14  # the fifteenth is silence: a face at rest
    rows = {p.name: i for i, p in enumerate(shown)}
    names = list(head.expression_names)
    smirk = library["expression"][rows["smirk"]]
    assert smirk[names.index("mouthSmileLeft")] == 0.75 and smirk[names.index("mouthSmileRight")] == 0
    assert library["eyelids"][rows["wink_left"]].tolist() == [1, 0]
    assert library["jaw"][rows["shout"], 0] == pytest.approx(0.75 * head.angles["jawOpen"], rel=1e-5)
    flat = torch.cat(list(library.values()), 1)
    assert flat.abs().amax(1).min() > 0 and library["expression"].amin() >= 0 and library["expression"].amax() <= 1
    augment = ArkitAugmentation.of(head, library)
    groups = {"expression": torch.zeros(8, len(names)), "jaw": torch.zeros(8, 3), "eyelids": torch.zeros(8, 2)}
    after = augment(groups, torch.Generator().manual_seed(0))
    assert after["expression"].shape == (8, len(names)) and torch.isfinite(after["expression"]).all()
    with pytest.raises(TakeError, match="no ARKit names"):
        named_library(replace(head, expression_names=tuple(f"e{i}" for i in range(39))))


def template(path: Path, value, key="expression") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    masks_file(path, {key: value, "jaw": np.ones(3)})


def test_recorded_templates_weigh_each_subject_and_class_alike(tmp_path):
    for frame in range(5):
        template(tmp_path / "s1" / "kissing" / f"{frame}.npy", np.full(100, float(frame)))
    template(tmp_path / "s2" / "jaw" / "0.npy", np.full((1, 60), 9.0, np.float32))
    template(tmp_path / "s2" / "sentence" / "0.npy", np.full(60, -1.0))
    found = famos_templates(tmp_path, 50, each=4)
    assert found.shape == (8, 50) and found.dtype == torch.float32
    assert (found == 9).all(1).sum() == 4 and (found >= 0).all()
    assert sorted({float(v) for v in found[:, 0]}) == [0, 1, 3, 4, 9]
    assert (
        FlameAugmentation(found)({"expression": torch.zeros(4, 50), "jaw": torch.zeros(4, 3)})["expression"].abs().max()
    )
    assert len(FAMOS_CLASSES) == 12


def test_damaged_and_hostile_templates(tmp_path):
    with pytest.raises(AssetError, match="no expression templates"):
        famos_templates(tmp_path)
    for value, key in ((np.zeros(10), "expression"), (np.full(60, np.nan), "expression"), (np.zeros(60), "other")):
        template(tmp_path / "s" / "jaw" / "0.npy", value, key)
        with pytest.raises(AssetError, match="no expression of 50"):
            famos_templates(tmp_path)

    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = masks_file(tmp_path / "s" / "jaw" / "0.npy", {"expression": 1})
    head, _, _ = path.read_bytes().partition(b"\n")
    path.write_bytes(head + b"\n" + pickle.dumps(Evil()))
    with pytest.raises(AssetError):
        famos_templates(tmp_path)
    assert not (tmp_path / "ran").exists()
