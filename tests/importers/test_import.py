# SPDX-License-Identifier: Apache-2.0
"""Results of others: every dialect in every file kind comes in with the same numbers; what does not fit is refused."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hostile.samples import zipped_tensors
from old_pickles import Py3Pickle, Tensor
from toys import make_toy_head

from smirk_core.cli import main
from smirk_core.errors import Cancelled, SmirkError, TakeError
from smirk_core.heads.decode import decode, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.importers.dialects import DIALECTS, detect
from smirk_core.importers.mat import read_mat
from smirk_core.importers.read import natural_key
from smirk_core.importers.take_import import import_take
from smirk_core.take import load_take
from smirk_core.tracking.crop import crop_transform

FRAMES = 7
SUFFIXES = ("npz", "npy", "pkl", "mat")


@pytest.fixture(scope="session")
def flame() -> HeadModel:
    """A small mesh with FLAME's numbers of coefficients."""
    toy, rng = make_toy_head(), np.random.default_rng(1)
    count = len(toy.template)
    return dataclasses.replace(
        toy,
        name="flame-toy",
        identity_basis=(0.001 * rng.normal(size=(300, count, 3))).astype(np.float32),
        expression_basis=(0.001 * rng.normal(size=(50, count, 3))).astype(np.float32),
        expression_names=tuple(f"exp_{n:03d}" for n in range(1, 51)),
    )


def truth(seed: int = 3) -> dict[str, np.ndarray]:
    """What every dialect says in its own words, (FRAMES, width) each; the crop drifts and grows."""
    rng = np.random.default_rng(seed)
    crops = [crop_transform(rng.uniform(0, 1, (478, 2)) * (180 + 9 * i) + [300 + 5 * i, 90]) for i in range(FRAMES)]
    return {
        "shape": np.repeat(rng.normal(size=(1, 100)), FRAMES, axis=0),
        "expression": rng.normal(size=(FRAMES, 50)),
        "rotation": rng.normal(scale=0.3, size=(FRAMES, 3)),
        "jaw": rng.uniform(0, 0.3, (FRAMES, 3)),
        "eyelids": rng.uniform(0, 1, (FRAMES, 2)),
        "camera": np.array([7.0, 0.02, -0.01]) + 0.01 * rng.normal(size=(FRAMES, 3)),
        "tform": np.stack([c.matrix for c in crops]),
    }


def speak(name: str, says: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same in the words of a dialect."""
    pose = np.concatenate([says["rotation"], says["jaw"]], axis=1)
    cam = {"cam": says["camera"], "tform": says["tform"]}
    if name == "smirk":
        shape = np.pad(says["shape"], ((0, 0), (0, 200)))
        return {
            "pose_params": says["rotation"], "cam": says["camera"], "shape_params": shape, "tform": says["tform"],
            "expression_params": says["expression"], "eyelid_params": says["eyelids"], "jaw_params": says["jaw"],
        }  # fmt: skip
    if name == "deca":
        waste = {"tex": np.zeros((FRAMES, 50)), "light": np.zeros((FRAMES, 9, 3)), "detail": np.ones((FRAMES, 128))}
        return {"shape": says["shape"], "exp": says["expression"], "pose": pose, **cam, **waste}
    if name == "emoca":
        waste = {"texcode": np.zeros((FRAMES, 50)), "lightcode": np.zeros((FRAMES, 9, 3))}
        return {"shapecode": says["shape"], "expcode": says["expression"], "posecode": pose, **cam, **waste}
    shape, expression = np.pad(says["shape"], ((0, 0), (0, 200))), np.pad(says["expression"], ((0, 0), (0, 50)))
    return {"shapecode": shape, "expcode": expression, "globalpose": says["rotation"], "jawpose": says["jaw"], **cam}


def write(path: Path, values: dict[str, np.ndarray]) -> Path:
    values = {k: v.astype(np.float32) if v.dtype.kind == "f" and k != "tform" else v for k, v in values.items()}
    match path.suffix:
        case ".npz":
            np.savez(path, **values)
        case ".npy":
            np.save(path, np.array(values, dtype=object), allow_pickle=True)
        case ".pkl":
            path.write_bytes(pickle.dumps(values, protocol=2))
        case ".mat":
            scipy.io.savemat(path, values, do_compression=True)
    return path


def check(take, says: dict[str, np.ndarray], dialect: str, head: HeadModel) -> None:
    near = {"rtol": 1e-6, "atol": 1e-6}
    assert take.info.encoder == dialect and take.info.head_digest == head.digest and len(take) == FRAMES
    np.testing.assert_allclose(take.raw["expression"], says["expression"], **near)
    np.testing.assert_allclose(take.raw["rotation"], says["rotation"], **near)
    np.testing.assert_allclose(take.raw["jaw"], says["jaw"], **near)
    np.testing.assert_allclose(take.identity[:100], says["shape"][0], **near)
    assert take.identity.shape == (300,) and not take.identity[100:].any()
    lids = says["eyelids"] if dialect == "smirk" else np.zeros((FRAMES, 2))
    np.testing.assert_allclose(take.raw["eyelids"], lids, **near)


@pytest.mark.parametrize("dialect", [d.name for d in DIALECTS])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_dialect_in_every_file(dialect, suffix, flame, tmp_path):
    says = truth()
    take = import_take(write(tmp_path / f"a.{suffix}", speak(dialect, says)), flame, rate=50, size=(1280, 720))
    check(take, says, dialect, flame)
    np.testing.assert_allclose(take.times, np.arange(FRAMES) / 50)
    again = load_take(take.save(tmp_path / "a.take.npz"))
    check(again, says, dialect, flame)
    assert again.info == take.info and (again.info.width, again.info.height) == (1280, 720)


@pytest.mark.parametrize("dialect", [d.name for d in DIALECTS])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("axes", [0, 1])
def test_a_folder_with_a_file_for_each_frame(dialect, suffix, axes, flame, tmp_path):
    says = truth()
    for i in range(FRAMES):
        frame = {k: v[i : i + 1] if axes else v[i] for k, v in speak(dialect, says).items()}
        write(tmp_path / f"frame{i + 8}.{suffix}", frame)  # frame10 comes after frame9
    (tmp_path / "readme.txt").write_text("not a frame")
    check(import_take(tmp_path, flame), says, dialect, flame)


def test_the_camera_lands_where_the_crop_camera_did(flame, tmp_path):
    """A head point through crop camera and inverse crop transform, and through the take's camera: the same pixel."""
    says = truth()
    take = import_take(write(tmp_path / "a.npz", speak("deca", says)), flame)
    vertices = decode(flame, take.parameters()).vertices
    ours = project(vertices, take.raw["camera"])[..., :2]
    s, tx, ty = (says["camera"].astype(np.float32)[:, k, None] for k in range(3))
    u, v = 112 * (1 + s * (vertices[..., 0] + tx)), 112 * (1 - s * (vertices[..., 1] + ty))
    crop = np.stack([u, v, np.ones_like(u)], axis=-1)
    theirs = crop @ np.linalg.inv(says["tform"]).transpose(0, 2, 1)
    np.testing.assert_allclose(ours, theirs[..., :2], atol=1e-3)


@pytest.mark.parametrize(
    ("tform", "why"),
    [
        (None, "transform is not in the file"),
        ([[0.0, 0.5, 0], [-0.5, 0, 0], [0, 0, 1]], "is turned"),
        ([[0.5, 0, 0], [0, -0.5, 0], [0, 0, 1]], "is turned"),
        ([[0.5, 0, 0], [0, 0.5, 0], [-40.0, 30, 1]], "is turned"),  # the transposed inverse that DECA feeds its decoder
    ],
)
def test_no_camera_rather_than_a_wrong_one(tform, why, flame, tmp_path):
    values = speak("deca", truth())
    del values["tform"]
    if tform is not None:
        values["tform"] = np.repeat(np.array(tform)[None], FRAMES, axis=0)
    take = import_take(write(tmp_path / "a.npz", values), flame)
    assert "camera" not in take.raw and why in take.info.notes


def test_worked_number_of_the_camera():
    from smirk_core.importers.crop_camera import camera_to_frame

    camera = camera_to_frame(np.array([[7, 0.02, -0.01]]), np.eye(3)[None])
    np.testing.assert_allclose(camera, [[784, 127.68, 119.84]])


def test_codes_in_folders_as_emoca_saves_them(flame, tmp_path):
    says = truth()
    values = speak("deca", says)
    for i in range(FRAMES):
        folder = tmp_path / f"{i:06d}_000"
        folder.mkdir()
        for key in ("shape", "exp", "pose", "tex", "detail"):
            np.save(folder / f"{key}.npy", values[key][i])
        (folder / "inputs.png").write_bytes(b"")
    (tmp_path / "meshes").mkdir()
    check(import_take(tmp_path, flame), says, "deca", flame)
    assert len(import_take(tmp_path / "000003_000", flame)) == 1


def test_tensors_of_torch(flame, tmp_path):
    """A program's outputs as it holds them: tensors in a pickle, and what torch.save makes of them."""
    says = truth()
    values = {k: v.astype(np.float32) for k, v in speak("smirk", says).items() if k != "tform"}
    pickled = Py3Pickle()
    pickled.out.write(b"}(")
    for name, array in values.items():
        pickled.value(name)
        pickled.value(Tensor(array))
    pickled.out.write(b"u")
    (tmp_path / "a.pkl").write_bytes(pickled.finish())
    check(import_take(tmp_path / "a.pkl", flame), says, "smirk", flame)
    check(import_take(zipped_tensors(tmp_path / "a.pt", values), flame), says, "smirk", flame)


def test_lists_and_tables_of_frames(flame, tmp_path):
    says = truth()
    frames = [{k: v[i] for k, v in speak("emoca", says).items()} for i in range(FRAMES)]
    for value in (
        frames,
        {"codes": frames},
        {f"frame_{i}": f for i, f in enumerate(frames)},
        {"clip": {f"{i}": {"codedict": f} for i, f in enumerate(frames)}},
    ):
        path = tmp_path / "a.pkl"
        path.write_bytes(pickle.dumps(value))
        check(import_take(path, flame), says, "emoca", flame)
    np.save(tmp_path / "a.npy", np.array(frames, dtype=object), allow_pickle=True)
    check(import_take(tmp_path / "a.npy", flame), says, "emoca", flame)


def test_numbered_files_keep_their_gaps(flame, tmp_path):
    says, numbers = truth(), [3, 4, 5, 9, 10, 11, 12]
    for i, number in enumerate(numbers):
        write(tmp_path / f"shot7_{number:04d}.npz", {k: v[i] for k, v in speak("smirk", says).items()})
    take = import_take(tmp_path, flame, rate=24)
    np.testing.assert_allclose(take.times, (np.array(numbers) - 3) / 24)


def test_changing_identity_becomes_the_median_and_is_told(flame, tmp_path):
    values = speak("deca", truth())
    values["shape"] = np.random.default_rng(0).normal(size=(FRAMES, 100))
    take = import_take(write(tmp_path / "a.npz", values), flame)
    np.testing.assert_allclose(take.identity[:100], np.median(values["shape"], axis=0), atol=1e-6)
    assert "identity is the median" in take.info.notes


def test_more_coefficients_than_the_head_has(flame, tmp_path):
    values = speak("emica", truth())
    values["expcode"][:, 60] = 2.5
    take = import_take(write(tmp_path / "a.npz", values), flame)
    assert take.raw["expression"].shape == (FRAMES, 50)
    assert "expression coefficients 51 to 100 are left out" in take.info.notes and "2.5" in take.info.notes


def test_other_expressions_of_flame_2023_are_told(flame, tmp_path):
    path = write(tmp_path / "a.npz", speak("deca", truth()))
    assert import_take(path, flame).info.notes == ""
    assert "look different" in import_take(path, dataclasses.replace(flame, name="flame-2023-open")).info.notes


def test_full_flame_pose_and_eyes(flame, tmp_path):
    pose = np.random.default_rng(2).normal(scale=0.1, size=(FRAMES, 15))
    take = import_take(write(tmp_path / "a.npz", {"exp": np.zeros((FRAMES, 10)), "pose": pose}), flame)
    for name, columns in (("rotation", [0, 1, 2]), ("neck", [3, 4, 5]), ("jaw", [6, 7, 8]), ("eyes", [9, 10, 12, 13])):
        np.testing.assert_allclose(take.raw[name], pose[:, columns], atol=1e-6)


def test_one_frame_is_a_photo(flame, tmp_path):
    values = {k: v[0] for k, v in speak("smirk", truth()).items()}
    info = import_take(write(tmp_path / "a.mat", values), flame).info
    assert info.kind == "photo" and info.rate == 0


def test_a_dialect_can_be_forced(flame, tmp_path):
    values = {"shapecode": np.zeros(100), "expcode": np.ones(50), "posecode": np.zeros(6), "globalpose": np.ones(3)}
    path = write(tmp_path / "a.npz", values)
    assert import_take(path, flame).info.encoder == "emoca"
    assert import_take(path, flame, dialect="emica").raw["rotation"].tolist() == [[1, 1, 1]]
    with pytest.raises(TakeError, match="holds no parameters of SMIRK"):
        import_take(path, flame, dialect="smirk")
    with pytest.raises(TakeError, match="Unknown dialect"):
        import_take(path, flame, dialect="klingon")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"exp": np.zeros((FRAMES, 50, 2, 2))}, "shape"),
        ({"exp": np.zeros((2, 3, 50))}, "shape"),
        ({"exp": np.full((FRAMES, 50), np.nan)}, "finite"),
        ({"exp": np.array(["a"] * FRAMES)}, "finite"),
        ({"exp": np.zeros((FRAMES, 0))}, "finite"),
        ({"exp": np.full((FRAMES, 50), 1e30)}, "no face has"),
        ({"exp": np.zeros((FRAMES, 5000))}, "shape"),
        ({"pose": np.zeros((FRAMES, 5))}, "3 or 6 or 15"),
        ({"pose": np.float64(3)}, "shape"),
        ({"cam": np.zeros((FRAMES - 2, 3))}, "frames where others have"),
        ({"tform": np.zeros((FRAMES, 2, 3))}, "3 x 3"),
        ({"tform": np.zeros((9,))}, "3 x 3"),
    ],
)
def test_arrays_that_do_not_fit(change, says, flame, tmp_path):
    with pytest.raises(TakeError, match=says):
        import_take(write(tmp_path / "a.npz", {**speak("deca", truth()), **change}), flame)


def test_frames_that_differ(flame, tmp_path):
    values = {k: v[0] for k, v in speak("deca", truth()).items()}
    write(tmp_path / "f1.npz", values)
    write(tmp_path / "f2.npz", {k: v for k, v in values.items() if k != "pose"})
    with pytest.raises(TakeError, match=r"f2\.npz does not hold the same"):
        import_take(tmp_path, flame)
    write(tmp_path / "f2.npz", {**values, "exp": np.zeros(10)})
    with pytest.raises(TakeError, match="10 numbers in one frame and 50"):
        import_take(tmp_path, flame)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.npz", {"verts": np.zeros((5023, 3))}, "mesh or landmarks"),
        ("a.npz", {"x": np.zeros(3)}, "holds no parameters"),
        ("a.pkl", {}, "by name"),
        ("a.mat", {"y": np.zeros(3)}, "by name|holds no parameters"),
        ("a.json", b"{}", "parameter files end in"),
        ("a.mat", b"MATLAB 7.3 MAT-file, HDF5" + b" " * 200, "-v7"),
        ("a.mat", b"nonsense", "level 5"),
        ("a.pkl", b"", "pickle|damaged|empty"),
        ("a.npz", b"PK", "damaged"),
    ],
)
def test_files_without_parameters(name, content, says, flame, tmp_path):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write(path, content)
    with pytest.raises(SmirkError, match=says):
        import_take(path, flame)


def test_nothing_there(flame, tmp_path):
    with pytest.raises(TakeError, match="There is no file or folder"):
        import_take(tmp_path / "none", flame)
    with pytest.raises(TakeError, match="no parameter files"):
        import_take(tmp_path, flame)
    (tmp_path / "pictures").mkdir()
    with pytest.raises(TakeError, match="no parameter files"):
        import_take(tmp_path, flame)


def test_reading_many_files_can_be_stopped(flame, tmp_path):
    for i in range(3):
        write(tmp_path / f"{i}.npz", {k: v[i] for k, v in speak("deca", truth()).items()})

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        import_take(tmp_path, flame, progress=stop)


def test_pickles_run_nothing(flame, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for value in (Trap(), {"exp": Trap(), "pose": np.zeros(6)}, [{"exp": np.zeros(50)}, Trap()]):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
        np.save(tmp_path / "a.npy", np.array(value, dtype=object), allow_pickle=True)
        np.savez(tmp_path / "a.npz", exp=np.array(value, dtype=object))
        for name in ("a.pkl", "a.npy", "a.npz"):
            with pytest.raises(SmirkError):
                import_take(tmp_path / name, flame)
    assert not (tmp_path / "sprung").exists()


def test_natural_order():
    names = ["f10", "f9", "F1", "f09b", "x", "2"]
    assert sorted(names, key=natural_key) == ["2", "F1", "f9", "f09b", "f10", "x"]


def test_detection_prefers_what_explains_more():
    assert detect({"shape", "exp", "pose", "cam"}, "f").name == "deca"
    assert detect({"shape", "exp", "jaw", "global_pose"}, "f").name == "emica"
    assert detect({"shapecode", "expcode"}, "f").name == "emoca"
    assert detect({"pose_params", "cam"}, "f").name == "smirk"


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_files_read_as_scipy_does(compressed, tmp_path):
    rng = np.random.default_rng(0)
    plain = {
        "exp": rng.normal(size=(7, 50)), "shape": rng.normal(size=(1, 100)).astype(np.float32), "pose": np.arange(6),
        "tform": rng.normal(size=(7, 3, 3)), "b": np.array([True, False]), "u": np.arange(5, dtype=np.uint8),
        "n": np.array([[3]], np.int64), "e": np.zeros((0, 3)), "big": rng.normal(size=(300, 100)),
    }  # fmt: skip
    other = {"z": np.array([1 + 2j]), "t": "text", "s": {"x": np.zeros(3)}, "c": np.array([1, "a"], dtype=object)}
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {**plain, **other}, do_compression=compressed)
    ours, theirs = read_mat(path.read_bytes()), scipy.io.loadmat(path)
    assert set(ours) == set(plain)
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype and np.array_equal(array, theirs[name]), name
    assert set(read_mat(path.read_bytes(), {"exp", "z"})) == {"exp"}


def test_command_line(flame_file, clip, tmp_path, capfd, monkeypatch):
    """The user's FLAME is found by its name, footage gives size and rate, and what is written plays on that head."""
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "data"))
    path, out = write(tmp_path / "deca.pkl", speak("deca", truth())), tmp_path / "deca.take.npz"
    assert main(["import", str(path), "-o", str(out)]) == 2
    err = capfd.readouterr().err
    assert "smirk assets import" in err and err.count("\n") == 1 and not out.exists()
    assert main(["assets", "import", str(flame_file)]) == 0
    assert main(["import", str(path), "-o", str(out), "--media", str(clip)]) == 0
    take = load_take(out)
    assert (take.info.width, take.info.height, take.info.rate, take.info.source) == (320, 320, 25, str(clip))
    head = load_head("flame")
    assert take.info.head_digest == head.digest and "camera" in take.raw
    assert decode(head, take.parameters()).vertices.shape == (FRAMES, 5023, 3)
    write(tmp_path / "emoca.npz", speak("emoca", truth()))
    assert main(["import", str(path), str(tmp_path / "emoca.npz"), "-o", f"{tmp_path}/all/", "--rate", "50"]) == 0
    assert {p.name for p in (tmp_path / "all").iterdir()} == {"deca.take.npz", "emoca.take.npz"}
    assert load_take(tmp_path / "all" / "emoca.take.npz").info.rate == 50
    assert main(["import", str(path), "-o", str(out), "--rate", "-3"]) == 2
