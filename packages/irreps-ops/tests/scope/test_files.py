"""Files are written completely or not at all, and whatever a checkpoint contains, its reader refuses it in one way."""

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from irreps_ops import checkpoint
from irreps_ops._inputs._files import read_file
from irreps_ops.checkpoint import write_file

TREE = {"a": {"w": jnp.arange(6.0, dtype=jnp.float32).reshape(2, 3), "n": jnp.arange(3)}, "b": jnp.ones((), bool)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pytest.importorskip("safetensors")
    checkpoint.save(tmp_path / "m", TREE, {"mean": jnp.ones(2)}, about={"source": "here", "steps": [1, 2, {"x": 1.5}]})
    return tmp_path / "m"


# Writing ---------------------------------------------------------------------------------------------------------
def failing(monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    if call == "write":
        real = open

        def opened(file: object, mode: str = "r", *args: object, **kwargs: object) -> object:
            found = real(file, mode, *args, **kwargs)  # type: ignore[call-overload]
            if "x" in mode:
                found.close()
                found = real("/dev/full", "wb", buffering=0)
            return found

        monkeypatch.setattr("builtins.open", opened)
    else:
        monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "chmod"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt(), MemoryError()]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    path = tmp_path / "file"
    write_file(path, "old")
    with monkeypatch.context() as patch:
        failing(patch, call, error)
        expected = OSError if call == "write" else type(error)
        with pytest.raises(expected) as info:
            write_file(path, "new")
    if isinstance(info.value, OSError):
        assert info.value.errno == errno.ENOSPC
        assert info.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_and_its_folder_reach_the_disk_before_anybody_hears_of_success(tmp_path, monkeypatch):
    events = []
    real = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(stat.S_ISDIR(os.fstat(fd).st_mode)), real[0](fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), real[1](a, b))[1])
    write_file(tmp_path / "file", b"x")
    assert events == [False, "rename", True]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EIO])
def test_a_folder_that_cannot_be_synchronized(tmp_path, monkeypatch, code):
    """Some file systems cannot; an error of the disk is one."""
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if code == errno.EIO:
        with pytest.raises(OSError, match="Input/output error"):
            write_file(tmp_path / "file", "x")
    else:
        write_file(tmp_path / "file", "x")
        assert (tmp_path / "file").read_text() == "x"


def test_the_unfinished_file_of_another_process_remains(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "0" * 2 * size)
    other = tmp_path / f".{'0' * 16}.unfinished"
    other.write_text("theirs")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "file", "ours")
    assert other.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [other]


def test_a_file_larger_than_memory_is_refused(tmp_path, monkeypatch):
    path, real = tmp_path / "file", os.fstat
    path.write_bytes(b"x")
    for size in (2**62, 2**100):
        monkeypatch.setattr(
            os, "fstat", lambda *args, size=size: SimpleNamespace(st_size=size, st_mode=real(*args).st_mode)
        )
        with pytest.raises(ValueError, match=f"file has {size} bytes, more than memory holds"):
            read_file(path)


def test_links_are_replaced_and_permissions_kept(tmp_path):
    victim, link, private = tmp_path / "victim", tmp_path / "link", tmp_path / "private"
    victim.write_text("precious")
    link.symlink_to(victim)
    write_file(link, "new")
    assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("precious", "new", False)
    for target in ("absent", "loop"):
        (tmp_path / "loop").unlink(missing_ok=True)
        (tmp_path / "loop").symlink_to(target)
        write_file(tmp_path / "loop", target)
        assert not (tmp_path / "loop").is_symlink()
    private.touch(mode=0o600)
    private.chmod(0o600)
    write_file(private, "x")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    umask = os.umask(0o027)
    try:
        write_file(tmp_path / "fresh", "x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to a device", "no folder", "long name"])
def test_what_is_not_a_file_is_neither_written_nor_read(tmp_path, request, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        # A terminal. Nothing can be renamed to it, so that a fault of `write_file` does no harm.
        descriptors = os.openpty()
        path = Path(os.ttyname(descriptors[1]))
        request.addfinalizer(lambda: [os.close(one) for one in descriptors])
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "no folder":
        path = tmp_path / "absent" / "x"
    else:
        path = tmp_path / ("x" * 300)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError):
        write_file(path, "x")
    assert sorted(tmp_path.iterdir()) == before
    for read in (checkpoint.load, checkpoint.read_header):
        with pytest.raises((ValueError, FileNotFoundError, OSError)):
            read(path)


def test_every_read_is_complete_beside_several_writers(tmp_path):
    path = tmp_path / "file"
    write_file(path, bytes(100_000))

    def write(number: int) -> None:
        for _ in range(60):
            write_file(path, bytes([number]) * 100_000)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, number) for number in (1, 2, 3)]
        while not all(writer.done() for writer in writers):
            content = path.read_bytes()
            assert (len(content), len(set(content))) == (100_000, 1)
    for writer in writers:
        writer.result()
    assert list(tmp_path.iterdir()) == [path]


# Saving ----------------------------------------------------------------------------------------------------------
DTYPES = sorted(set(checkpoint._DTYPES.values()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_can_be_saved_can_be_loaded(tmp_path, dtype):
    pytest.importorskip("safetensors")
    bits = np.arange(64, dtype=np.uint8) % (2 if dtype == "bool" else 100)
    array = bits.view(jnp.dtype(dtype))
    try:
        checkpoint.save(tmp_path / "m", {"w": array, "none": array[:0]})
    except ValueError as error:
        pytest.skip(f"an older safetensors knows fewer dtypes: {error}")
    found = checkpoint.load(tmp_path / "m").parameters["w"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(np.asarray(found).view(np.uint8), bits)


def test_what_the_library_of_the_format_refuses(path, monkeypatch):
    """Dtypes that it, or we, do not know, and headers that it could not read again."""
    safetensors = pytest.importorskip("safetensors")
    before = path.read_bytes()

    def refuse(*_):
        raise safetensors.SafetensorError("unknown dtype")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.numpy.save", refuse)
        with pytest.raises(ValueError, match="the parameters cannot be saved: unknown dtype"):
            checkpoint.save(path, TREE)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_LONGEST_HEADER", 100)
        with pytest.raises(ValueError, match="names and header have more than 100 bytes: shorten `about`"):
            checkpoint.save(path, TREE)
        with pytest.raises(ValueError, match="not a checkpoint"):
            checkpoint.load(path)
    assert path.read_bytes() == before
    monkeypatch.delitem(checkpoint._DTYPES, "F32")
    with pytest.raises(ValueError, match="it has numbers of dtype 'F32', expected BOOL, I8"):
        checkpoint.load(path)


def test_byte_order_and_strides_do_not_matter(tmp_path):
    pytest.importorskip("safetensors")
    numbers = np.arange(24.0).reshape(4, 6)
    variants = {"big": numbers.astype(">f8"), "little": numbers.astype("<f8"), "f": np.asfortranarray(numbers)}
    variants |= {"strided": np.arange(48.0).reshape(4, 12)[:, ::2] / 2, "back": numbers[::-1][::-1]}
    checkpoint.save(tmp_path / "m", variants)
    for found in checkpoint.load(tmp_path / "m").parameters.values():
        np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"w": np.ones(2, complex)}, "'parameters/w' has dtype complex128: expected one of bool"),
        ({"w": jnp.ones(2, "int4")}, "dtype int4"),
        ({"w": np.array(["a"])}, "dtype <U1"),
        ({"w": np.array([None])}, "dtype object"),
        ({"w": jax.random.key(0)}, r"dtype key<fry>"),
        ({1: np.ones(2), "1": np.ones(3)}, "two leaves have the name 'parameters/1'"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(tmp_path, tree, message):
    pytest.importorskip("safetensors")
    with pytest.raises(ValueError, match=message):
        checkpoint.save(tmp_path / "m", tree)
    deep = np.ones(1)
    for _ in range(2000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="deep"):
        checkpoint.save(tmp_path / "m", deep)
    with pytest.raises(ValueError, match="deep"):
        checkpoint.save(tmp_path / "m", {}, about={"tree": json.loads("[" * 900 + "]" * 900), "more": _nested(5000)})
    assert not list(tmp_path.iterdir())


def _nested(depth: int) -> list:
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


# Loading ---------------------------------------------------------------------------------------------------------
def edited(path: Path, change, keep_checksum: bool = False) -> None:
    """Rewrite the header of safetensors by `change`, a function that modifies it in place or returns another."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if not keep_checksum:
        ours = json.loads(header["__metadata__"]["irreps"])
        del ours["sha256"]
        header["__metadata__"]["irreps"] = json.dumps(ours)
    header = change(header) or header
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])


def rename(old: str, new: str):
    return lambda header: header.update({new: header.pop(old)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename("parameters/b", "weights/b"), "arrays outside parameters and state: 'weights/b'"),
        (rename("parameters/b", "parameters"), "arrays outside parameters and state: 'parameters'"),
        (rename("parameters/b", "parameters/a"), "is a leaf"),
        (rename("parameters/b", "parameters/a/w/x"), "is a leaf"),
        (rename("parameters/b", "parameters/" + "/".join("x" * 5000)), "5001 names, expected at most 100"),
        (lambda header: b"[" * 100_000, "not a checkpoint"),
        (lambda header: header["__metadata__"].update(irreps="[" * 100_000), "not a checkpoint"),
        (lambda header: header["__metadata__"].update(irreps='{"format": 1, "about": 3}'), "not a checkpoint"),
        (lambda header: header["__metadata__"].update(irreps='{"format": true, "about": {}}'), "has format True"),
        (lambda header: header["__metadata__"].update(irreps='{"format": 1.0, "about": {}}'), "has format 1.0"),
        (lambda header: header.update(__metadata__=[]), "not a checkpoint"),
        (lambda header: header["parameters/b"].update(shape=[2**40]), "damaged"),
        (lambda header: header["parameters/b"].update(shape=[0, 2**62]), "damaged"),
        (lambda header: header["parameters/b"].update(shape=[1] * 70), "damaged"),
        (lambda header: header["parameters/b"].update(dtype="F4"), "damaged"),
        (lambda header: header["parameters/b"].update(dtype="x" * 1_000_000), "damaged"),
        (rename("parameters/b", "x" * 1_000_000), "outside"),
    ],
)
def test_malformed_files_are_refused(path, change, message):
    edited(path, change)
    with pytest.raises(ValueError, match=message) as info:
        checkpoint.load(path)
    assert str(path) in str(info.value)
    assert len(str(info.value)) < 2000


def test_a_changed_bit_is_found(path):
    """In numbers, names, shapes and the header; older files have no checksum and are still read."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="checksum"):
        checkpoint.load(path)
    edited(path, lambda header: None)
    assert checkpoint.load(path).header["about"]["source"] == "here"


def test_a_byte_that_is_no_bool_is_refused(path):
    for byte, accepted in ((0, True), (1, True), (2, False), (255, False)):
        edited(path, lambda header: None, keep_checksum=byte != 0)
        data = bytearray(path.read_bytes())
        size = int.from_bytes(data[:8], "little")
        place = json.loads(data[8 : 8 + size])["parameters/b"]["data_offsets"][0]
        data[8 + size + place] = byte
        path.write_bytes(data)
        if accepted:
            assert bool(checkpoint.load(path).parameters["b"]) == bool(byte)
        else:
            with pytest.raises(ValueError, match="bool that are neither 0 nor 1"):
                checkpoint.load(path)


def test_equal_headers_make_equal_files(tmp_path):
    """Also those whose keys are no texts, which JSON makes of them."""
    pytest.importorskip("safetensors")
    for name, about in (("x", {"a": 1, "b": {9: 0, 10: 1}}), ("y", {"b": {"10": 1, "9": 0}, "a": 1})):
        checkpoint.save(tmp_path / name, TREE, about=about)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert checkpoint.load(tmp_path / "x").header["about"] == {"a": 1, "b": {"10": 1, "9": 0}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.astype(jnp.int8), "dtype int8"),
        (lambda w: w.astype(bool), "dtype bool"),
        (lambda w: w.astype(jnp.complex64), "dtype complex64"),
        (lambda w: w.astype(jnp.float16), "'a/w' has dtype float16, that of the model is float32: pass dtype"),
        (lambda w: w.at[1, 1].set(jnp.nan), "not finite"),
        (lambda w: w.at[1, 1].set(jnp.inf), "not finite"),
    ],
)
def test_weights_of_another_kind_are_refused(path, change, message):
    checkpoint.load(path, like=TREE)
    wrong = TREE | {"a": TREE["a"] | {"w": change(TREE["a"]["w"])}}
    checkpoint.save(path, wrong)
    with pytest.raises(ValueError, match=message):
        checkpoint.load(path, like=TREE)
    if "float16" in message:
        assert checkpoint.load(path, like=TREE, dtype=jnp.float32).parameters["a"]["w"].dtype == jnp.float32
    else:
        with pytest.raises(ValueError, match=message):
            checkpoint.load(path, like=TREE, dtype=jnp.float32)
