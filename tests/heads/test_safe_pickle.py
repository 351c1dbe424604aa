# SPDX-License-Identifier: Apache-2.0
"""Pickles of strangers: what they may hold comes out right, and what they must not do does not happen."""

from __future__ import annotations

import collections
import copyreg
import io
import os
import pickle
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from old_pickles import Chumpy, OldCsc, Py2Pickle, Py3Pickle, Tensor, object_npy
from scipy import sparse

from smirk_core.errors import AssetError
from smirk_core.heads.safe_pickle import SAFE_GLOBALS, RestrictedUnpickler, load_npy, load_npz, load_pickle

DATA = Path(__file__).parent.parent / "data"


def same(a: object, b: object) -> bool:
    """Deep equality with types, NaN equal to itself."""
    if isinstance(b, np.ndarray):
        if not isinstance(a, np.ndarray) or a.dtype != b.dtype or a.shape != b.shape:
            return False
        return all(map(same, a.ravel(), b.ravel())) if b.dtype.hasobject else np.array_equal(a, b)
    if isinstance(b, dict):
        return isinstance(a, dict) and set(a) == set(b) and all(same(a[k], v) for k, v in b.items())
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


# What may be in a pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(-99, 99) | st.binary(), inner)
        | st.lists(inner).map(tuple)
    ),
    max_leaves=12,
)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_out_as_python_reads_them(value, protocol):
    data = pickle.dumps(value, protocol)
    assert same(load_pickle(data), pickle.loads(data))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers(protocol):
    value = {
        "c": np.arange(12.0).reshape(3, 4), "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "text": np.array(["ab", "cdé"]), "objects": np.array([1, "x", None, [2]], object),
        "scalar": np.float32(3.5), "truth": np.array([True, False]), "empty": np.zeros((0, 3)), "point": np.array(5),
        "half": np.array([0.5], np.float16), "complex": np.array([1 + 2j]), "bytes": np.array([b"ab", b"c"]),
        "set": {1, 2}, "frozen": frozenset({"a"}), "shared": [np.arange(2)] * 2, "number": 1 + 2j,
    }  # fmt: skip
    assert same(load_pickle(pickle.dumps(value, protocol)), value)
    ordered = pickle.dumps(collections.OrderedDict(b=1, a=np.arange(2)), protocol)
    assert same(load_pickle(ordered), {"b": 1, "a": np.arange(2)}) and list(load_pickle(ordered)) == ["b", "a"]
    assert load_pickle(pickle.dumps(collections.defaultdict(list, k=[1]), protocol)) == {"k": [1]}
    assert load_pickle(pickle.dumps(bytearray(b"xy"), protocol)) == b"xy"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"])
def test_sparse_matrices(kind, protocol):
    dense = np.where(np.random.default_rng(0).random((5, 40)) < 0.2, 1.5, 0.0)
    matrix = load_pickle(pickle.dumps(getattr(sparse, kind)(dense), protocol))
    assert matrix.shape == dense.shape and np.array_equal(matrix.toarray(), dense)


def test_python_2_with_chumpy_and_an_old_scipy():
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    table = {"shapes": Chumpy(np.arange(6.0).reshape(1, 3, 2)), "regressor": OldCsc(dense), "style": "lbs\xe9"}
    pickle_ = Py2Pickle()
    pickle_.value(table)
    loaded = load_pickle(pickle_.finish())
    assert same(loaded["shapes"], np.arange(6.0).reshape(1, 3, 2)) and loaded["style"] == "lbs\xe9"
    assert np.array_equal(loaded["regressor"].toarray(), dense)


def test_a_selection_of_a_chumpy_array():
    class Select(Chumpy):
        path = ("chumpy.reordering", "Select")

        def state(self):
            return {"a": Chumpy(self.x), "idxs": np.array([3, 0]), "preferred_shape": (2, 1), "dterms": ["a"]}

    pickle_ = Py2Pickle()
    pickle_.value(Select(np.arange(4.0)))
    assert same(load_pickle(pickle_.finish()), np.array([[3.0], [0.0]]))


def test_tensors_written_by_torch():
    """The file was written by torch 2.13 (``numpy.save`` of a dictionary of tensors)."""
    loaded = load_npy(DATA / "torch_tensors.npy").item()
    expected = {
        "indices": np.arange(6).reshape(2, 3), "turned": np.arange(6).reshape(2, 3).T,
        "floats": np.array([[0.25, -1.5]], np.float32), "part": np.array([2.0, 4.0, 6.0]),
        "truth": np.array([True, False]), "half": np.array([0.5, -2.0], np.float16),
        "brain": np.array([1.5, -2.0], np.float32), "array": np.arange(3),
    }  # fmt: skip
    assert same(loaded, expected)


def test_tensors_written_as_torch_does():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert same(load_npy(object_npy({"t": Tensor(array)})).item(), {"t": array})


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array("x"), np.zeros(0)]
)
def test_npy_files(array, tmp_path):
    np.save(tmp_path / "a.npy", array)
    assert same(load_npy(tmp_path / "a.npy"), array)
    np.savez(tmp_path / "a.npz", one=array)
    assert same(load_npz(tmp_path / "a.npz"), {"one": array})


def test_a_table_of_ones_own():
    """Another module may allow more names and give persistent ids a meaning."""
    data = b"\x80\x02cmy.module\nmake\nU\x02id\x85RU\x03keyQ\x86."
    table = {**SAFE_GLOBALS, "my.module.make": lambda text: ("made", text)}
    machine = RestrictedUnpickler(data + b"rest", table, persistent=lambda key: ("outside", key))
    assert machine.load() == (("made", "id"), ("outside", "key"))
    assert machine.position == len(data)


# What must not happen


class Calls:
    """Pickles itself as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def nested(inner: bytes, around: str) -> bytes:
    """A hostile pickle's body inside the state of something allowed."""
    body = inner[2:-1] if inner[:1] == b"\x80" else inner[:-1]
    if around == "chumpy":
        return b"\x80\x02cchumpy.ch\nCh\n)\x81}(U\x01x" + body + b"ub."
    if around == "sparse":
        return b"\x80\x02cscipy.sparse.csc\ncsc_matrix\n)\x81}(U\x06_shapeK\x01K\x01\x86U\x04data" + body + b"ub."
    if around == "array":
        dtype = b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
        start = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        return start + b"(K\x01(K\x01t" + dtype + b"\x89](" + body + b"etb."
    return b"\x80\x02}(U\x01a](" + body + b"eu."


def hostile(canary: Path) -> dict[str, tuple[bytes, str]]:
    """Name -> a pickle that would touch ``canary`` with Python's own unpickler, and what its error must name."""
    command = f"touch {canary}"
    text, place = command.encode(), repr(str(canary)).encode()
    short = b"U" + bytes([len(text)]) + text
    system = pickle.dumps(Calls(os.system, command), 2)
    os_name = "posix.system" if os.name == "posix" else "nt.system"
    found = {f"reduce, protocol {n}": (pickle.dumps(Calls(os.system, command), n), os_name) for n in range(6)}
    code = f"__import__('os').system({command!r})"
    found |= {
        "eval": (pickle.dumps(Calls(eval, code)), "builtins.eval"),
        "exec": (pickle.dumps(Calls(exec, code)), "builtins.exec"),
        "eval of Python 2": (b"c__builtin__\neval\n(S" + repr(code).encode() + b"\ntR.", "__builtin__.eval"),
        "GLOBAL": (b"cos\nsystem\n(S'" + text + b"'\ntR.", "os.system"),
        "STACK_GLOBAL": (b"\x80\x04\x8c\x02os\x8c\x06system\x93" + short + b"\x85R.", "os.system"),
        "INST": (b"(S'" + text + b"'\nios\nsystem\n.", "os.system"),
        "OBJ": (b"(cos\nsystem\nS'" + text + b"'\no.", "os.system"),
        "NEWOBJ": (b"\x80\x02csubprocess\nPopen\n](S'touch'\nS" + place + b"\ne\x85\x81.", "subprocess.Popen"),
        "NEWOBJ_EX": (
            b"\x80\x04csubprocess\nPopen\n)}(U\x04args](S'touch'\nS" + place + b"\neu\x92.",
            "subprocess.Popen",
        ),
        "Popen": (pickle.dumps(Calls(subprocess.Popen, ["touch", str(canary)])), "subprocess.Popen"),
        "getattr": (b"cbuiltins\ngetattr\n(S'x'\nS'system'\ntR.", "builtins.getattr"),
        "import": (b"cbuiltins\n__import__\n(S'antigravity'\ntR.", "builtins.__import__"),
        "import_module": (b"cimportlib\nimport_module\n(S'antigravity'\ntR.", "importlib.import_module"),
        "runpy": (b"crunpy\n_run_code\n(S'1'\n}tR.", "runpy._run_code"),
        "operator": (b"coperator\nattrgetter\n(S'system'\ntR.", "operator.attrgetter"),
        "pickle in a pickle": (b"c_pickle\nloads\n(" + b"C" + bytes([len(system)]) + system + b"tR.", "_pickle.loads"),
        "numpy's own loader": (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        "torch's own loader": (b"ctorch\nload\n(S'x'\ntR.", "torch.load"),
        "in a list in a dict": (nested(system, ""), os_name),
        "in a chumpy state": (nested(system, "chumpy"), os_name),
        "in a sparse matrix": (nested(system, "sparse"), os_name),
        "in an array of objects": (nested(system, "array"), os_name),
        "_reconstructor": (
            b"ccopy_reg\n_reconstructor\n(csubprocess\nPopen\nc__builtin__\nobject\nNtR.", "subprocess.Popen",
        ),
        "subtype of an array": (
            b"cnumpy.core.multiarray\n_reconstruct\n(csubprocess\nPopen\n(K\x00tS'b'\ntR.", "subprocess.Popen",
        ),
        "in a tensor's storage": (
            b"\x80\x03ctorch.storage\n_load_from_bytes\nC" + bytes([len(system)]) + system + b"\x85R.", os_name,
        ),
        "persistent id": (b"\x80\x02U\x04hereQ.", "persistent id"),
        "persistent line": (b"Phere\n.", "persistent id"),
        "buffer outside": (b"\x80\x05\x97.", "buffer outside"),
        "call of a label": (b"\x80\x02cnumpy\nndarray\n(K\x05tR.", "numpy.ndarray"),
        "newline in a name": (b"\x80\x04\x8c\x09os\nsystem\x8c\x01x\x93.", "os?system.x"),
    }  # fmt: skip
    return found


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


HOSTILE = sorted(hostile(Path("x")))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_by_name(name, canary):
    data, names = hostile(canary)[name]
    for content, load in ((data, load_pickle), (npy_of(data), load_npy)):
        with pytest.raises(AssetError, match="is refused") as error:
            load(content)
        assert names in str(error.value) and "\n" not in str(error.value)
    assert not canary.exists()


def npy_of(data: bytes) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    return header.getvalue() + data


def test_the_canary_sings_with_pythons_own_unpickler(canary):
    """The test above can fail: the same bytes do their work elsewhere."""
    pickle.loads(hostile(canary)["INST"][0])
    assert canary.exists()


@pytest.mark.parametrize("layout", ["<B", "<H", "<i"])
def test_the_extension_registry_is_not_asked(layout, canary):
    code = {"<B": 77, "<H": 7777, "<i": 77777}[layout]
    data = {"<B": b"\x82", "<H": b"\x83", "<i": b"\x84"}[layout] + struct.pack(layout, code)
    data = b"\x80\x02" + data + b"(S'touch " + str(canary).encode() + b"'\ntR."
    copyreg.add_extension("os", "system", code)
    try:
        with pytest.raises(AssetError, match="extension registry"):
            load_pickle(data)
        assert not canary.exists()
    finally:
        copyreg.remove_extension("os", "system", code)


def test_a_name_in_chumpy_is_never_looked_up(canary):
    """Everything of chumpy's is allowed, as a box for its state: even where the name leads elsewhere."""
    data = b"\x80\x04\x8c\x0achumpy.os.\x8c\x06system\x93U" + bytes([6 + len(str(canary))])
    data += b"touch " + str(canary).encode() + b"\x85R."
    load_pickle(data)
    assert not canary.exists()


def emitted(*parts: object) -> bytes:
    machine = Py3Pickle()
    for part in parts:
        machine.out.write(part) if isinstance(part, bytes) else machine.value(part)
    return machine.finish()


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"


def array_state(shape: object, code: bytes, raw: object, flags: bytes = b"K\x00") -> bytes:
    """A pickled array with a state of one's own choice."""
    dtype = (
        b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"K\x00K\x01\x87R(K\x03U\x01|NNNK\x00K\x00" + flags + b"tb"
    )
    return emitted(RECONSTRUCT, b"(K\x01", shape, dtype, b"\x89", raw, b"tb")


def text_of(length: int) -> bytes:
    return b"X" + struct.pack("<I", length) + b"a" * length


DAMAGED = {
    "nothing": b"",
    "text": b"hello, this is no pickle",
    "no stop": b"\x80\x02N",
    "stack underflow": b"\x80\x02R.",
    "mark underflow": b"t.",
    "protocol of the future": b"\x80\x09N.",
    "unknown opcode": b"\x80\x02\xff.",
    "length beyond the file": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".",
    "negative length": b"\x80\x02T\xff\xff\xff\xff.",
    "frame beyond the file": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
    "endless number": b"I" + b"9" * 5000 + b"\n.",
    "call of a string": b"U\x02os)R.",
    "state of a string": b"U\x02os}b.",
    "state of a name": b"cnumpy\nndarray\n}(U\x01xK\x01ub.",
    "append to a tuple": b")K\x01a.",
    "key that is a list": b"}]K\x01s.",
    "key as deep as it goes": b"}" + b"N" + b"\x85" * 100_000 + b"K\x01s.",
    "key made to collide": b"}L" + str(2**61 - 1).encode() + b"L\nK\x01s.",
    "objects out of raw bytes": array_state((1,), b"O8", "a" * 8),
    "objects declared as numbers": array_state((1,), b"f8", ["x"], b"K?"),
    "more elements than data": array_state((10**9, 10**9), b"f8", "a" * 8),
    "negative shape": array_state((-1,), b"f8", "a" * 8),
    "shape of one's own": array_state("abc", b"f8", "a" * 8),
    "structured dtype": array_state((1,), b"V8", "a" * 8),
    "no such dtype": array_state((1,), b"f9", "a" * 9),
    "text out of range": array_state((1,), b"U1", "\x7f\x7f\x7f\x7f"),
    "a dtype with fields": b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01|N(U\x01at}K\x08K\x08K\x00tb.",
    "billions of zeros": b"c__builtin__\nbytearray\n(L100000000000000L\ntR.",
    "a list of a number": b"c__builtin__\nlist\n(K\x05tR.",
    "an array before its state": b"(" + RECONSTRUCT + b"p0\ng0\nt}b.",
    "a tensor larger than its storage": b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00(K\x09t(K\x01t\x89NtR.",
    "no storage": b"ctorch.storage\n_load_from_bytes\n(C\x03abctR.",
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damaged_pickles_are_an_error(name):
    with pytest.raises(AssetError, match="is not a pickle file, or it is damaged"):
        load_pickle(DAMAGED[name])


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"PK\x03\x04zip", "zip archive"), (b"\x1f\x8bgz", "gzip"), (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"), (b"\x93NUMPY\x01\x00", "NumPy array file"),
    ],
)  # fmt: skip
def test_files_of_another_kind_are_named(start, says, tmp_path):
    (tmp_path / "generic_model.pkl").write_bytes(start)
    with pytest.raises(AssetError, match=says):
        load_pickle(tmp_path / "generic_model.pkl")


def test_copies_of_a_memory_are_counted():
    """A megabyte, encoded over and over from the memo: ten bytes a copy."""
    data = b"\x80\x02" + text_of(1 << 20) + b"q\x01" + b"c_codecs\nencode\nq\x02" + b"h\x02h\x01\x85R" * 1000 + b"."
    with pytest.raises(AssetError, match="unfolds to far more"):
        load_pickle(data)


def test_long_winded_pickles_end():
    machine = RestrictedUnpickler(b"N0" * 1000 + b"N.", {}, max_operations=1000)
    with pytest.raises(AssetError, match="too long-winded"):
        machine.load()


def test_nesting_is_no_danger():
    deep = load_pickle(b"]" * 200_000 + b"a" * 199_999 + b".")
    depth = 0
    while deep:
        deep, depth = deep[0], depth + 1
    assert depth == 199_999


def test_a_sparse_matrix_is_not_made_dense_without_bound():
    matrix = sparse.coo_matrix((np.ones(1), (np.array([5]), np.array([6]))), shape=(10**9, 10**9))
    loaded = load_pickle(pickle.dumps(matrix))
    with pytest.raises(ValueError, match="too large"):
        loaded.toarray()


@pytest.mark.parametrize(
    "change",
    [
        {"indptr": np.array([0, 1, 99, 3], np.int32)}, {"indptr": np.array([0, 2, 1, 3], np.int32)},
        {"indices": np.array([0, 1, 9], np.int32)}, {"indices": np.array([0, -1, 1], np.int32)},
        {"indptr": np.zeros(3, np.int32)}, {"data": np.array(["a"])}, {"_shape": (2, 10**9)}, {"data": "abc"},
        {"indptr": np.array([0.0, 1.0, 2.0, 3.0])},
    ],
)  # fmt: skip
def test_sparse_matrices_that_point_elsewhere(change):
    matrix = OldCsc(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]))
    state = {**matrix.state(), **change}
    matrix.state = lambda: state
    pickle_ = Py2Pickle()
    pickle_.value(matrix)
    with pytest.raises(AssetError, match="damaged"):
        load_pickle(pickle_.finish())


def samples() -> list[tuple[bytes, object]]:
    """Small files of every kind, each with its loader."""
    rng = np.random.default_rng(5)
    old = Py2Pickle()
    old.value(
        {
            "shapedirs": Chumpy(rng.random((3, 3, 2))), "J_regressor": OldCsc(np.eye(3)),
            "f": np.eye(3, dtype=np.uint32), "bs_style": "lbs", "list": [1, "2.5", None, True],
        }
    )  # fmt: skip
    new = {
        "a": rng.random(4),
        "t": ("x", b"y", 2**70),
        "o": np.array([1, "z"], object),
        "s": sparse.csr_matrix(np.eye(2)),
    }
    tensors = object_npy({"t": Tensor(rng.random((2, 3)).astype(np.float32)), "i": Tensor(np.arange(4))})
    return [
        (old.finish(), load_pickle),
        *((pickle.dumps(new, protocol), load_pickle) for protocol in (0, 2, 4, 5)),
        (tensors, load_npy),
        ((DATA / "torch_tensors.npy").read_bytes(), load_npy),
    ]


@pytest.mark.parametrize("sample", range(7))
def test_mutated_files_end_in_a_value_or_an_asset_error(sample, canary):
    """Two hundred of each: bytes changed, cut out, doubled, spliced with hostile calls."""
    data, load = samples()[sample]
    load(data)
    rng = np.random.default_rng(sample)
    pieces = [d for d, _ in hostile(canary).values()]
    failed = 0
    for round_ in range(200):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 6)):
            place, length = int(rng.integers(len(changed))), int(rng.integers(1, 30))
            kind = rng.integers(5)
            if kind == 0:
                changed[place] = rng.integers(256)
            elif kind == 1:
                del changed[place : place + length]
            elif kind == 2:
                changed[place:place] = changed[place : place + length]
            elif kind == 3:
                changed[place:place] = rng.integers(0, 256, length, np.uint8).tobytes()
            elif round_ % 4 == 0:
                changed[place:place] = pieces[rng.integers(len(pieces))]
            if not changed:
                changed = bytearray(b"N")
        try:
            load(bytes(changed))
        except AssetError as error:
            failed += 1
            assert "\n" not in str(error)
    assert failed > 100 and not canary.exists()


def test_missing_files_and_folders(tmp_path):
    for load in (load_pickle, load_npy, load_npz):
        with pytest.raises(AssetError, match="There is no file"):
            load(tmp_path / "none")
        with pytest.raises(AssetError, match=r"folder|Cannot read"):
            load(tmp_path)
    for load in (load_npy, load_npz):
        (tmp_path / "text").write_text("hello")
        with pytest.raises(AssetError, match="damaged"):
            load(tmp_path / "text")


def test_npy_headers_that_promise_more_than_there_is(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**12)})
    for content in (header.getvalue(), header.getvalue() + b"abc", b"\x93NUMPY\x07\x00", b"\x93NUMPY\x01\x00\xff\xff{"):
        with pytest.raises(AssetError, match="damaged"):
            load_npy(content)
