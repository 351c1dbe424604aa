# SPDX-License-Identifier: Apache-2.0
"""FLAME's files: what is in them arrives, the forward pass is the specification's, and foreign files are told apart."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from flame_stand_in import StandIn, write_assets, write_flame
from old_pickles import Chumpy, OldCsc, Py2Pickle, Tensor, object_npy
from scipy import sparse

from smirk_core.errors import AssetError
from smirk_core.heads import flame
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.flame import load_flame
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.heads.library import load_head


@pytest.fixture(scope="module")
def source() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def head(flame_file: Path) -> HeadModel:
    return load_flame(flame_file)


def write_table(path: Path, table: dict[str, object]) -> Path:
    out = Py2Pickle()
    out.value(table)
    path.write_bytes(out.finish())
    return path


# What is read


def test_arrays_arrive_as_they_were_written(source, head):
    np.testing.assert_allclose(head.template, source.v_template, atol=1e-7)
    assert np.array_equal(head.triangles, source.f) and (head.polygons[:, 3] == -1).all()
    columns = source.shapedirs.transpose(2, 0, 1)
    np.testing.assert_allclose(head.identity_basis, columns[:300], atol=1e-8)
    np.testing.assert_allclose(head.expression_basis, columns[300:350], atol=1e-8)
    np.testing.assert_allclose(head.corrective_basis, source.posedirs.transpose(2, 0, 1), atol=1e-8)
    np.testing.assert_allclose(head.joint_regressor, source.J_regressor, atol=1e-7)
    np.testing.assert_allclose(head.skinning_weights, source.weights, atol=1e-7)
    np.testing.assert_allclose(head.eyelid_basis, source.eyelids, atol=1e-8)
    assert head.joint_parents == (-1, 0, 1, 1, 1) and head.corrective_features.tolist() == list(range(36))
    assert head.expression_names[0] == "exp_001" and head.expression_names[-1] == "exp_050"
    assert head.joints_follow_expression and head.eyelids_after_skinning and head.expression_range == (-10.0, 10.0)
    assert head.notes == () and not head.angles
    arrays = (head.template, head.identity_basis, head.expression_basis, head.eyelid_basis, head.corrective_basis)
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)


def test_options(flame_file, head):
    rig = load_flame(flame_file, eyelids="rig", expressions=100)
    assert not rig.eyelids_after_skinning and rig.expression_size == 100 and rig.expression_names[99] == "exp_100"
    assert np.array_equal(rig.expression_basis[:50], head.expression_basis)
    assert rig.digest == head.digest and rig.name == head.name
    assert load_flame(flame_file, expressions=0).expression_size == 0
    for wrong in ({"eyelids": "other"}, {"expressions": 101}, {"expressions": -1}):
        with pytest.raises(ValueError, match="expressions"):
            load_flame(flame_file, **wrong)


def test_every_way_of_writing_the_file_is_the_same_head(source, head, tmp_path):
    """Plain arrays and today's SciPy, by Python 3; chumpy everywhere; a dense regressor in single precision."""
    table = source.table()
    plain = {**table, "shapedirs": source.shapedirs, "J_regressor": sparse.csc_matrix(source.J_regressor)}
    (tmp_path / "new.pkl").write_bytes(pickle.dumps(plain, 4))
    everywhere = {k: Chumpy(v) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for k, v in table.items()}
    write_table(tmp_path / "chumpy.pkl", everywhere)
    single = {
        k: v.astype(np.float32) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for k, v in plain.items()
    }
    (tmp_path / "single.pkl").write_bytes(pickle.dumps({**single, "J_regressor": np.float32(source.J_regressor)}))
    for name in ("new", "chumpy", "single"):
        assert load_flame(tmp_path / f"{name}.pkl").digest == head.digest


def test_the_digest_tells_models_apart(source, head, tmp_path):
    changed = source.v_template.copy()
    changed[17, 1] += 1e-4
    write_table(tmp_path / "a.pkl", {**source.table(), "v_template": changed})
    assert load_flame(tmp_path / "a.pkl").digest != head.digest


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("female_model.pkl", "flame-2020-female"), ("male_model.pkl", "flame-2020-male"),
        ("flame2023.pkl", "flame-2023"), ("flame2023_Open.pkl", "flame-2023-open"),
        ("generic_model.pkl", "flame-custom"),  # this one has a fingerprint, and it is another
    ],
)  # fmt: skip
def test_models_are_named(file, name, flame_file, tmp_path):
    shutil.copy(flame_file, tmp_path / file)
    assert load_flame(tmp_path / file).name == name


def test_the_fingerprint_names_the_official_file(flame_file, tmp_path, monkeypatch):
    shutil.copy(flame_file, tmp_path / "renamed.pkl")
    digest = hashlib.sha256(flame_file.read_bytes()).hexdigest()
    monkeypatch.setitem(flame.KNOWN_SHA256, digest, "flame-2020-generic")
    assert load_flame(tmp_path / "renamed.pkl").name == "flame-2020-generic"


def test_regions_and_materials(source, head):
    masks = source.masks()
    for name, rows in masks.items():
        assert np.array_equal(np.flatnonzero(head.regions[name]), rows), name
    assert np.array_equal(head.regions["ears"], head.regions["left_ear"] | head.regions["right_ear"])
    names = np.array(head.material_names)[head.polygon_materials]
    eyes = {"eye_white", "iris", "pupil"}
    for side, joint in (("left_eyeball", 3), ("right_eyeball", 4)):
        ball = head.triangle_region(side)
        assert set(names[ball]) == eyes
        centre = head.joint_regressor[joint] @ head.template
        for material in ("iris", "pupil"):  # in front of the middle of the eye
            places = head.template[head.triangles[ball & (names == material)]].mean(axis=1) - centre
            assert places[:, 2].min() > 0.009 and np.abs(places[:, :2].mean(axis=0)).max() < 1e-4
    assert not eyes & set(names[~(head.triangle_region("left_eyeball") | head.triangle_region("right_eyeball"))])


def test_texture_coordinates_belong_to_their_corners(source, head, flame_assets, tmp_path):
    """The faces of the file may come in another order and start at another corner."""
    direct = head.uvs[head.triangle_uvs]
    height = (head.template[head.triangles][..., 1] + 0.2) / 0.4  # the stand-in's v
    np.testing.assert_allclose(direct[..., 1], height, atol=2e-6)
    assert np.array_equal(head.polygon_uvs < 0, head.polygons < 0)
    lines = (flame_assets / "head_template.obj").read_text().splitlines()
    rng = np.random.default_rng(0)
    faces = [line for line in lines if line.startswith("f ")]
    turned = []
    for row in rng.permutation(len(faces)):
        corners, turn = faces[row].split()[1:], rng.integers(3)
        turned.append("f " + " ".join(corners[turn:] + corners[:turn]))
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "head_template.obj").write_text("\n".join([*(x for x in lines if not x.startswith("f ")), *turned]))
    model = write_flame(tmp_path / "a.pkl", source)
    shuffled = load_flame(model, assets=folder)
    np.testing.assert_allclose(shuffled.uvs[shuffled.triangle_uvs], direct, atol=1e-7)


def test_landmarks_lie_where_they_belong(head):
    """On the stand-in, which has the bundled head's face: within the width of its coarser triangles."""
    bundled = load_head("open")
    for name in ("mediapipe_105", "ibug_68"):
        ours = landmark_points(head, head.template[None], head.landmarks[name])[0]
        theirs = landmark_points(bundled, bundled.template[None], bundled.landmarks[name])[0]
        assert np.median(np.linalg.norm(ours - theirs, axis=1)) < 0.001
        assert np.linalg.norm(ours - theirs, axis=1).max() < 0.006
    static = landmark_points(head, head.template[None], head.landmarks["ibug_51"])[0]
    np.testing.assert_allclose(
        static, landmark_points(head, head.template[None], head.landmarks["ibug_68"])[0, 17:], atol=1e-6
    )


def test_landmarks_in_another_order_are_sorted(source, head, flame_assets, tmp_path):
    with np.load(flame_assets / "mediapipe_landmark_embedding" / "mediapipe_landmark_embedding.npz") as file:
        arrays = {k: file[k] for k in file.files}
    order = np.random.default_rng(0).permutation(105)
    np.savez(tmp_path / "mediapipe_landmark_embedding.npz", **{k: v[order] for k, v in arrays.items()})
    other = load_flame(write_flame(tmp_path / "a.pkl", source))
    assert np.array_equal(other.landmarks["mediapipe_105"].triangles, head.landmarks["mediapipe_105"].triangles)
    arrays["landmark_indices"][0] = 468
    np.savez(tmp_path / "mediapipe_landmark_embedding.npz", **arrays)
    with pytest.raises(AssetError, match="other landmarks"):
        load_flame(tmp_path / "a.pkl")
    assert MEDIAPIPE_105[0] != 468


# The forward pass


def rodrigues(vectors: np.ndarray) -> np.ndarray:
    """The specification's section 2.3, step 3, with its 1e-8."""
    angle = np.linalg.norm(vectors + 1e-8, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / angle[..., 0], -1, 0)
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def by_the_book(source: StandIn, groups: dict[str, np.ndarray], frame: int, *, faithful: bool) -> np.ndarray:
    """Steps 1 to 7 for one frame, in float64, with 4 x 4 matrices."""
    betas = np.zeros(350)
    betas[: groups["identity"].shape[1]] = groups["identity"][frame]
    betas[300 : 300 + groups["expression"].shape[1]] = groups["expression"][frame]
    shaped = source.v_template + source.shapedirs[..., :350] @ betas
    joints = source.J_regressor @ shaped
    eyes = groups["eyes"][frame]
    pose = np.stack(
        [groups["rotation"][frame], groups["neck"][frame], groups["jaw"][frame], [*eyes[:2], 0], [*eyes[2:], 0]]
    )
    rotations = rodrigues(pose)
    feature = (rotations[1:] - np.eye(3)).ravel()
    posed = shaped + (feature @ source.posedirs.reshape(-1, 36).T).reshape(-1, 3)
    lids = groups["eyelids"][frame]
    offset = lids[1] * source.eyelids[1] + lids[0] * source.eyelids[0]
    if not faithful:
        posed = posed + offset
    world = []
    for joint, parent in enumerate((-1, 0, 1, 1, 1)):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    chains = np.stack(world)
    chains[:, :3, 3] -= np.einsum("jab,jb->ja", chains[:, :3, :3], joints)
    blended = np.einsum("vj,jab->vab", source.weights, chains)
    vertices = np.einsum("vab,vb->va", blended[:, :3, :3], posed) + blended[:, :3, 3]
    return vertices + offset if faithful else vertices


def lively(count: int, seed: int, identities: int = 300, expressions: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = {"identity": rng.normal(size=(count, identities)), "expression": rng.normal(size=(count, expressions))}
    groups |= {k: rng.normal(0, 0.4, (count, n)) for k, n in (("rotation", 3), ("neck", 3), ("jaw", 3), ("eyes", 4))}
    return groups | {"eyelids": rng.uniform(0, 1, (count, 2))}


@pytest.mark.parametrize("eyelids", ["faithful", "rig"])
def test_forward_pass_is_the_specifications(eyelids, source, flame_file):
    model = load_flame(flame_file, eyelids=eyelids)
    groups = lively(6, seed=1)
    vertices = decode(model, groups).vertices
    for frame in range(6):
        expected = by_the_book(source, groups, frame, faithful=eyelids == "faithful")
        np.testing.assert_allclose(vertices[frame], expected, atol=1e-6)


def test_lids_of_the_two_kinds_differ_by_the_turn_of_the_head(source, flame_file, head):
    rig = load_flame(flame_file, eyelids="rig")
    straight = {"eyelids": np.ones((1, 2))}
    np.testing.assert_allclose(decode(rig, straight).vertices, decode(head, straight).vertices, atol=1e-7)
    turned = {**straight, "rotation": np.array([[0.0, 0.8, 0.0]])}
    apart = np.linalg.norm(decode(rig, turned).vertices - decode(head, turned).vertices, axis=-1).max()
    largest = np.linalg.norm(source.eyelids, axis=-1).max()
    assert 0.05 * largest < apart < 2 * largest


def test_short_vectors_are_padded(source, head):
    short = lively(2, seed=2, identities=40, expressions=10)
    np.testing.assert_allclose(decode(head, short).vertices[0], by_the_book(source, short, 0, faithful=True), atol=1e-6)


# What is missing, and what is not FLAME


@pytest.fixture(scope="module")
def bare_file(source, tmp_path_factory) -> Path:
    """A model without anything around it."""
    folder = tmp_path_factory.mktemp("bare") / "one" / "two"
    folder.mkdir(parents=True)
    return write_flame(folder / "generic_model.pkl", source)


@pytest.fixture(autouse=True)
def no_user_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "data"))


def test_a_model_alone_works_and_says_what_it_lacks(bare_file, head):
    bare = load_flame(bare_file)
    assert bare.digest == head.digest
    text = "\n".join(bare.notes)
    for file in (
        "eyelid.npy",
        "mediapipe_landmark_embedding.npz",
        "landmark_embedding.npy",
        "masks.pkl",
        "template.obj",
    ):
        assert file in text
    assert not bare.eyelid_basis.any() and not bare.landmarks and bare.contour is None
    assert bare.uvs[bare.triangle_uvs].shape == (9976, 3, 2) and np.array_equal(bare.polygon_uvs < 0, bare.polygons < 0)
    assert set(bare.regions) == {"left_eyeball", "right_eyeball"}
    groups = lively(2, seed=3)
    without = {**groups, "eyelids": np.zeros((2, 2))}
    np.testing.assert_allclose(decode(bare, groups).vertices, decode(head, without).vertices, atol=1e-7)


def test_the_files_around_it_are_found_where_people_have_them(bare_file, flame_assets, head, tmp_path):
    assert load_flame(bare_file, assets=flame_assets).notes == ()  # where the user says
    data = tmp_path / "data" / "assets"  # among the imported files
    (data / "l_eyelid").mkdir(parents=True)
    (data / "r_eyelid").mkdir()
    shutil.copy(flame_assets / "l_eyelid.npy", data / "l_eyelid")
    assert not load_flame(bare_file).eyelid_basis.any()  # one lid is none
    shutil.copy(flame_assets / "r_eyelid.npy", data / "r_eyelid")
    assert np.array_equal(load_flame(bare_file).eyelid_basis, head.eyelid_basis)
    shutil.copy(bare_file, flame_assets / "here.pkl")  # beside the model
    assert load_flame(flame_assets / "here.pkl").notes == ()
    (flame_assets / "here.pkl").unlink()
    with pytest.raises(AssetError, match="no assets folder"):
        load_flame(bare_file, assets=tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shapedirs": None}, "no 'shapedirs'"),
        ({"v_template": np.zeros((6890, 3))}, "'v_template' has shape (6890, 3)"),
        ({"shapedirs": np.zeros((5023, 3, 100), np.float32)}, "'shapedirs' has shape"),
        ({"v_template": "text"}, "'v_template' is no array"),
        ({"v_template": np.full((5023, 3), np.nan)}, "not finite"),
        ({"v_template": np.full((5023, 3), "x")}, "does not hold numbers"),
        ({"f": np.full((9976, 3), 5023, np.uint32)}, "vertices that it does not have"),
        ({"weights": np.zeros((5023, 5))}, "do not add up"),
        ({"kintree_table": np.array([[0, 0, 1, 2, 2], [0, 1, 2, 3, 4]])}, "skeleton"),
        ({"J_regressor": OldCsc(np.eye(4))}, "'J_regressor' has shape (4, 4)"),
        ({"posedirs": Chumpy("a formula")}, "'posedirs' is a formula of chumpy.ch.Ch"),
    ],
)
def test_foreign_models_are_told_apart(change, says, source, tmp_path):
    table = {**source.table(), "shapedirs": np.zeros((5023, 3, 400), np.float16), **change}
    path = write_table(tmp_path / "a.pkl", {k: v for k, v in table.items() if v is not None})
    with pytest.raises(AssetError) as error:
        load_flame(path)
    assert says in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(AssetError, match="There is no file"):
        load_flame(tmp_path / "none.pkl")
    for content, says in ((pickle.dumps([1]), "no table"), (b"abc", "not a pickle"), (b"<html>", "web page")):
        (tmp_path / "a.pkl").write_bytes(content)
        with pytest.raises(AssetError, match=says):
            load_flame(tmp_path / "a.pkl")


def small_file(source: StandIn) -> bytes:
    """The stand-in with its largest array at half precision, to be read often."""
    out = Py2Pickle()
    out.value({**source.table(), "shapedirs": Chumpy(source.shapedirs.astype(np.float16))})
    return out.finish()


def test_truncated_and_changed_files(source, tmp_path):
    """Cut anywhere, or a byte of the frame around the arrays changed: an error or a head, nothing else."""
    data = small_file(source)
    path = tmp_path / "generic_model.pkl"
    for share in np.linspace(0, 1, 12, endpoint=False):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(AssetError, match="damaged"):
            load_flame(path)
    names = [b"shapedirs", b"J_regressor", b"v_template", b"weights", b"kintree_table", b"numpy.core", b"csc_matrix"]
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(24):
        start = data.index(names[rng.integers(len(names))])
        place = min(start + int(rng.integers(-12, 90)), len(data) - 1)
        path.write_bytes(data[:place] + bytes([rng.integers(256)]) + data[place + 1 :])
        try:
            load_flame(path)
        except AssetError as error:
            failed += 1
            assert "\n" not in str(error)
    assert failed > 5


def table_of(flame_assets: Path, **change: object) -> bytes:
    rng = np.random.default_rng(0)
    table = {
        "static_lmk_faces_idx": np.arange(51), "static_lmk_bary_coords": rng.random((51, 3)),
        "dynamic_lmk_faces_idx": Tensor(np.arange(79 * 17).reshape(79, 17)),
        "dynamic_lmk_bary_coords": Tensor(rng.random((79, 17, 3)).astype(np.float32)),
        "full_lmk_faces_idx": np.arange(68)[None], "full_lmk_bary_coords": rng.random((1, 68, 3)), **change,
    }  # fmt: skip
    return object_npy({k: v for k, v in table.items() if v is not None})


def npy(array: np.ndarray) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def masks(table: object) -> bytes:
    out = Py2Pickle()
    out.value(table)
    return out.finish()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("l_eyelid.npy", npy(np.zeros((5023, 2))), "the lid's offset has shape (5023, 2)"),
        ("l_eyelid.npy", npy(np.full((5023, 3), np.inf)), "not finite"),
        ("l_eyelid.npy", b"abc", "damaged"),
        ("landmark_embedding.npy", npy(np.zeros(3)), "holds no table"),
        ("landmark_embedding.npy", table_of(Path(), static_lmk_faces_idx=None), "the static landmarks is missing"),
        (
            "landmark_embedding.npy",
            table_of(Path(), full_lmk_faces_idx=np.full((1, 68), 9976)),
            "triangles that the mesh",
        ),
        ("landmark_embedding.npy", table_of(Path(), dynamic_lmk_faces_idx=Tensor(np.arange(3))), "has shape (3,)"),
        ("mediapipe_landmark_embedding.npz", b"PK\x03\x04", "damaged"),
        ("FLAME_masks.pkl", masks({"lips": np.array([5023])}), "vertices that the mesh lacks"),
        ("FLAME_masks.pkl", masks({"lips": "all"}), "regions"),
        ("FLAME_masks.pkl", masks([]), "regions"),
        ("head_template.obj", b"v 0 0 0\nvt 0 0\nf 1/1 1/1 1/1\n", "1 faces"),
        ("head_template.obj", b"\xff\xfe\x00", "not the template"),
        ("head_template.obj", b"vt x y\nf 1/1 1/1 1/1\n", "not the template"),
    ],
)
def test_damaged_files_around_the_model_are_named(name, content, says, bare_file, flame_assets, tmp_path):
    folder = tmp_path / "assets"
    shutil.copytree(flame_assets, folder)
    for file in folder.rglob(name):
        file.unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(AssetError) as error:
        load_flame(bare_file, assets=folder)
    assert says in str(error.value) and name in str(error.value) and "\n" not in str(error.value)


def test_a_template_of_another_mesh_is_refused(bare_file, flame_assets, tmp_path):
    text = (flame_assets / "head_template.obj").read_text()
    first = text.index("f ")
    (tmp_path / "head_template.obj").write_text(text[:first] + text[first:].replace("f 2/", "f 7/", 1))
    with pytest.raises(AssetError, match="join other vertices"):
        load_flame(bare_file, assets=tmp_path)


def test_the_stand_in_is_the_same_every_time(source, tmp_path):
    """Colleagues' figures depend on it."""
    write_assets(tmp_path / "assets", source)
    again = StandIn()
    assert np.array_equal(again.shapedirs, source.shapedirs) and np.array_equal(again.f, source.f)
    corners = source.v_template[source.f.astype(int)]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert areas.min() > 1e-9
    edges = np.sort(source.f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2 and (counts == 1).sum() == 60  # one hole, at the neck
