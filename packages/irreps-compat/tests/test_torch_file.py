"""Files of torch.save, written here by hand: what they hold is read, and what would execute something is refused."""

import io
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from irreps_compat.e3nn import read_torch_file


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def named(name: str) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + named(f"torch {kind}") + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(of: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    arguments = of + number(offset) + numbers(*shape) + numbers(*strides) + b"\x89" + named("collections OrderedDict")
    return named("torch._utils _rebuild_tensor_v2") + b"(" + arguments + b")Rt" + b"R"


def state(*entries: bytes) -> bytes:
    """A pickle of a dict with these values under "0", "1", ..."""
    pairs = b"".join(text(str(i)) + entry for i, entry in enumerate(entries))
    return b"\x80\x02}(" + pairs + b"u."


def saved(content: bytes, members: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("net/data.pkl", content)
        for name, data in {"byteorder": b"little", **(members or {})}.items():
            archive.writestr(f"net/{name}", data)
    return file.getvalue()


FLOATS = np.arange(6, dtype="<f4")
MEMBERS = {"data/0": FLOATS.tobytes(), "data/1": np.array([1.5, -2.0], "<f8").tobytes(), "data/2": b"\x80\x3f\x00\xc0"}


def test_tensors_containers_and_arrays_are_read(tmp_path: Path) -> None:
    parameter = tensor(storage("1", 2, "DoubleStorage"), 0, (2,), (1,)) + b"\x88" + named("collections OrderedDict")
    content = state(
        tensor(storage("0", 6), 1, (2, 2), (1, 2)),
        named("torch._utils _rebuild_parameter") + b"(" + parameter + b")Rt" + b"R",
        tensor(storage("2", 2, "BFloat16Storage"), 0, (2,), (1,)),
        tensor(storage("0", 6), 3, (), ()),
        tensor(storage("0", 6), 6, (0, 3), (3, 1)),
        b"(" + text("é") + b"\x88NG" + struct.pack(">d", 0.25) + b"t",
        named("torch device") + text("cuda") + b"K\x01\x86R",
        named("torch float64"),
        pickle.dumps([np.arange(3.0), np.float32(2.5), {"a": (1, 2)}], 2)[2:-1],
        # An OrderedDict with attributes, as state dicts are.
        named("collections OrderedDict") + b")R}" + text("_metadata") + b"}sb",
    )
    path = tmp_path / "a.pth"
    path.write_bytes(saved(content, MEMBERS))
    found = read_torch_file(path)
    np.testing.assert_array_equal(found["0"], [[1, 3], [2, 4]])
    assert found["0"].dtype == np.float32
    np.testing.assert_array_equal(found["1"], [1.5, -2.0])
    np.testing.assert_array_equal(found["2"].astype(float), [1.0, -2.0])
    assert found["3"] == 3
    assert found["4"].shape == (0, 3)
    assert found["5"] == ("é", True, None, 0.25)
    assert found["6"] == "cuda:1"
    assert found["7"] == "float64"
    np.testing.assert_array_equal(found["8"][0], [0, 1, 2])
    assert found["8"][1:] == [2.5, {"a": (1, 2)}]
    assert found["9"] == {}
    assert not found["0"].flags.writeable


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    members = {"data/0": FLOATS.astype(">f4").tobytes(), "byteorder": b"big"}
    (tmp_path / "a.pth").write_bytes(saved(state(tensor(storage("0", 6), 0, (6,), (1,))), members))
    found = read_torch_file(tmp_path / "a.pth")["0"]
    np.testing.assert_array_equal(found, FLOATS)
    assert found.dtype.isnative


def executing(name: str, argument: str) -> bytes:
    return state(named(name) + text(argument) + b"\x85R")


def nested(depth: int, opened: bytes, closed: bytes) -> bytes:
    return b"\x80\x02" + opened * depth + closed * depth + b"."


# Each list has the list before twice: 2^40 values in 400 bytes.
LAUGHS = b"\x80\x02]q\x00" + b"".join(b"](" + bytes([0x68, i, 0x68, i, 0x65, 0x71, i + 1]) for i in range(40)) + b"."
HUGE = 1 << 40
ARRAY = pickle.dumps(np.arange(3.0), 2)
BOMB = b"\0" * 10_000_000

HOSTILE: dict[str, tuple[bytes, str]] = {
    "a shell": (saved(executing("os system", "touch hacked")), "names 'os.system'"),
    "a shell of another system": (saved(executing("posix system", "touch hacked")), "names 'posix.system'"),
    "evaluated text": (saved(executing("builtins eval", "1")), "names 'builtins.eval'"),
    "an unknown class": (saved(state(named("torch.nn.modules.linear Linear") + b")\x81")), "names 'torch.nn"),
    "an attribute of a known module": (saved(executing("torch load", "x")), "names 'torch.load'"),
    "an unknown name from the stack": (
        saved(state(text("os") + text("system") + b"\x93" + text("x") + b"\x85R")),
        "names 'os.system'",
    ),
    "a call of data": (saved(state(text("x") + b")R")), "calls 'str'"),
    "a call of a word": (saved(state(named("torch FloatStorage") + b")R")), "calls 'FloatStorage'"),
    "a call without a tuple": (saved(state(named("collections OrderedDict") + b"]R")), "calls 'OrderedDict'"),
    "a class": (saved(state(named("collections OrderedDict") + b")\x81")), "opcode NEWOBJ"),
    "an instance": (saved(state(b"(ios\nsystem\n")), "opcode INST"),
    "an extension": (saved(state(b"\x82\x01")), "opcode EXT1"),
    "state of a list": (saved(state(b"]" + b"}b")), "sets the state of a list"),
    "state twice": (saved(ARRAY[:-1] + b"(K\x01)NNtb" + b"."), "sets the state"),
    "an array of objects": (saved(ARRAY.replace(b"f8", b"O8")), "dtype 'O8'"),
    "deep lists": (saved(nested(30_000, b"](", b"e")), "nested more than 100 deep"),
    "deep tuples": (saved(nested(30_000, b"(", b"t")), "nested more than 100 deep"),
    "deep tuples as a key": (saved(b"\x80\x02}" + nested(30_000, b"(", b"t")[2:-1] + b"Ns."), "keys are neither"),
    "a list in itself": (saved(b"\x80\x02]q\x00h\x00a."), "nested more than 100 deep"),
    "a billion laughs": (saved(LAUGHS), "more than"),
    "a list as a key": (saved(b"\x80\x02}]Ns."), "keys are neither"),
    "a huge text": (saved(b"\x80\x02X\xff\xff\xff\x7fabc."), "damaged"),
    "a huge text of eight bytes": (saved(b"\x80\x04\x8d" + struct.pack("<Q", HUGE) + b"abc."), "damaged"),
    "a huge byte array": (saved(b"\x80\x05\x96" + struct.pack("<Q", HUGE) + b"abc."), "opcode BYTEARRAY8"),
    "a huge integer": (saved(b"\x80\x02\x8b\xff\xff\xff\x7f1."), "damaged"),
    "no end": (saved(b"\x80\x02}"), "no end"),
    "an empty stack": (saved(b"\x80\x02."), "damaged"),
    "no mark": (saved(b"\x80\x02Nt."), "damaged"),
    "a memo that was not set": (saved(b"\x80\x02h\x07."), "damaged"),
    "a persistent file": (saved(state(b"(" + text("file") + b"NNNNtQ")), "persistent object 'file'"),
    "a storage without a tensor": (saved(state(storage("0", 6)), MEMBERS), "_Storage"),
    "a storage that is missing": (saved(state(tensor(storage("9", 6), 0, (6,), (1,))), MEMBERS), "data/9"),
    "a storage outside": (saved(state(tensor(storage("../data.pkl", 6), 0, (6,), (1,))), MEMBERS), "damaged"),
    "a storage of other size": (saved(state(tensor(storage("0", 7), 0, (6,), (1,))), MEMBERS), "announces 7 numbers"),
    "a storage of huge size": (saved(state(tensor(storage("0", HUGE), 0, (6,), (1,))), MEMBERS), "announces"),
    "a huge tensor": (saved(state(tensor(storage("0", 6), 0, (HUGE,), (0,))), MEMBERS), "larger than its storage"),
    "many huge axes": (saved(state(tensor(storage("0", 6), 0, (HUGE,) * 30, (0,) * 30)), MEMBERS), "larger"),
    "a tensor past the end": (saved(state(tensor(storage("0", 6), 1, (3,), (3,))), MEMBERS), "larger than its storage"),
    "an offset past the end": (saved(state(tensor(storage("0", 6), 7, (0,), (1,))), MEMBERS), "larger"),
    "a negative stride": (saved(state(tensor(storage("0", 6), 5, (6,), (-1,))), MEMBERS), "tensor of shape"),
    "a negative offset": (saved(state(tensor(storage("0", 6), -1, (2,), (1,))), MEMBERS), "tensor of shape"),
    "fewer strides": (saved(state(tensor(storage("0", 6), 0, (2, 3), (1,))), MEMBERS), "malformed tensor"),
    "a tensor of no storage": (saved(state(tensor(b"N", 0, (2,), (1,)))), "malformed tensor"),
    "compressed": (saved(state(), {"data/0": BOMB}, zipfile.ZIP_DEFLATED), "compressed"),
    "two pickles": (saved(state(), {"x/data.pkl": b""}), "no state dict"),
    "a program": (saved(state(), {"code/x.py": b""}), "no state dict"),
    "no pickle": (saved(state()).replace(b"data.pkl", b"data.pkx"), "no state dict"),
    "a plain pickle": (pickle.dumps({"a": 1}), "not a file of torch.save"),
    "nothing": (b"", "not a file of torch.save"),
    "half": (saved(state(tensor(storage("0", 6), 0, (6,), (1,))), MEMBERS)[:-200], "not a file of torch.save"),
    "a wrong sum": (
        saved(state(tensor(storage("0", 6), 0, (6,), (1,))), MEMBERS).replace(FLOATS.tobytes(), b"\1" * 24),
        "CRC",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, expected = HOSTILE[name]
    path = Path("bad.pth")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^bad\.pth ") as caught:
        read_torch_file(path)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 500
    assert [p.name for p in tmp_path.iterdir()] == ["bad.pth"]


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    """A zip file whose entries share their data announces more than it has."""
    members = {f"data/{i}": bytes(1000) for i in range(20)}
    content = bytearray(saved(state(), members))
    (count,) = struct.unpack("<H", content[-12:-10])
    assert count == 22
    start = content.index(b"net/data/0") - 30
    place, end = content.index(b"PK\1\2"), content.rindex(b"PK\5\6")
    first_of = {}
    while place < end:
        length = struct.unpack("<H", content[place + 28 : place + 30])[0]
        first_of[bytes(content[place + 46 : place + 46 + length])] = place
        place += 46 + length
    # All entries of the central directory point to the first member, and the others are cut out.
    for name, entry in first_of.items():
        if name.startswith(b"net/data/"):
            content[entry + 42 : entry + 46] = struct.pack("<I", start)
    body_end = content.index(b"net/data/1") - 30
    directory = content.index(b"PK\1\2")
    content[-6:-2] = struct.pack("<I", body_end)
    (tmp_path / "a.pth").write_bytes(content[:body_end] + content[directory:])
    with pytest.raises(ValueError, match="announces more data than it has"):
        read_torch_file(tmp_path / "a.pth")


def test_changed_bytes_lead_to_a_result_or_a_message(tmp_path: Path) -> None:
    rng, path, refused = random.Random(0), tmp_path / "a.pth", 0
    entries = tensor(storage("0", 6), 1, (2, 2), (1, 2)), ARRAY[2:-1], named("torch device") + text("cpu") + b"\x85R"
    content = state(*entries, named("collections OrderedDict") + b")R}" + text("a") + b"}sb")
    for _ in range(1500):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(saved(bytes(changed), MEMBERS))
        try:
            read_torch_file(path)
        except ValueError:
            refused += 1
    assert 500 < refused < 1500
