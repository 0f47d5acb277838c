"""Files of ``torch.save`` without torch, and without executing anything that a file says."""

import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ._pickle_reader import NUMPY, Global, PickleError, read_pickle

_MAX_PICKLE = 1 << 24  # bytes of everything except tensors
_STORAGES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
_FLOATS = ("float64", "float32", "float16", "bfloat16", "double", "float", "half", "complex64", "complex128")
_DTYPES = (*_FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool", "long", "int")


class _Storage(NamedTuple):
    """The numbers of one tensor or several."""

    numbers: np.ndarray


def read_torch_file(path: str | PathLike[str]) -> Any:
    """Return the content of a file of ``torch.save``, such as a state dict, with NumPy arrays for tensors.

    The file may come from a stranger: nothing in it is executed, and it uses no more memory than a small multiple of
    its size. A file that names anything except tensors, NumPy arrays, containers, texts and numbers is refused.

    Args:
        path: the file, in the format of PyTorch 1.6 and later, a zip archive.

    Returns:
        Dicts, lists, tuples, texts, numbers and arrays. Arrays are read-only; parameters are arrays; an ``OrderedDict``
        is a dict; a ``torch.device`` or dtype is its name.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, is damaged, or contains something else; the message names it.

    Example:
        >>> from irreps_compat import e3nn
        >>> e3nn.read_torch_file("network.pth")  # doctest: +SKIP
        {'up.weight': array([1., 2., 3.], dtype=float32)}
    """
    path = Path(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return _Archive(archive, path.stat().st_size).content()
    except PickleError as error:
        raise ValueError(f"{path} is refused: {error}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} is not a file of torch.save (1.6 or later), or is damaged: {error!s:.200}") from None


class _Archive:
    """A zip archive with a pickle, ``NAME/data.pkl``, and the numbers of the tensors, ``NAME/data/KEY``."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self.archive = archive
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED or m.compress_size != m.file_size for m in members):
            raise PickleError("it is compressed, which torch.save never does")
        if sum(m.file_size for m in members) > size:
            raise PickleError("it announces more data than it has")
        self.members = {m.filename: m for m in members}
        roots = [name.removesuffix("data.pkl") for name in self.members if name.endswith("/data.pkl")]
        if len(roots) != 1 or any(name.startswith(f"{roots[0]}code/") for name in self.members):
            raise PickleError("it has no state dict: expected a file of torch.save, not of torch.jit.save")
        self.root = roots[0]
        self.storages: dict[str, _Storage] = {}

    def content(self) -> Any:
        """Return what was saved."""
        if self.members[f"{self.root}data.pkl"].file_size > _MAX_PICKLE:
            raise PickleError(f"it has more than {_MAX_PICKLE} bytes without counting tensors")
        names = {
            **NUMPY,
            **{f"torch {name}": Global(name) for name in (*_STORAGES, *_DTYPES)},
            "torch device": Global("device", _device),
            "torch Size": Global("Size", tuple),
            "torch._utils _rebuild_tensor_v2": Global("tensor", _tensor),
            "torch._utils _rebuild_parameter": Global("parameter", _parameter),
        }
        return read_pickle(self.read("data.pkl"), names, self.storage)

    def read(self, name: str) -> bytes:
        """Return a member; zipfile checks its sum."""
        return self.archive.read(self.members[self.root + name])

    def storage(self, identity: Any) -> _Storage:
        """Return the numbers of a persistent id, ("storage", type, key, device, count)."""
        kind, of, key, _, count = identity
        if kind != "storage" or not isinstance(of, Global) or of.word not in _STORAGES or not isinstance(key, str):
            raise PickleError(f"it has the persistent object {kind!r:.60}, which is not the storage of a tensor")
        if key not in self.storages:
            order = self.read("byteorder") if f"{self.root}byteorder" in self.members else b"little"
            dtype = np.dtype(_STORAGES[of.word]).newbyteorder(">" if order == b"big" else "<")
            content = self.read(f"data/{key}")
            if type(count) is not int or count * dtype.itemsize != len(content):
                raise PickleError(
                    f"it announces {count!r:.60} numbers of {dtype}, but has {len(content)} bytes of them"
                )
            self.storages[key] = _Storage(np.frombuffer(content, dtype))
        return self.storages[key]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    """Return a view of a storage, like ``torch._utils._rebuild_tensor_v2``."""
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or len(shape) != len(strides) or len(shape) > 32:
        raise PickleError("it has a malformed tensor")
    if not all(type(n) is int and 0 <= n < 1 << 62 for n in sizes):
        raise PickleError(f"it has a tensor of shape {shape!r:.60}")
    numbers, count = storage.numbers, 1
    for n in shape:
        count *= n
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if count else offset - 1
    # A tensor that repeats the numbers of its storage may have any size.
    if count > len(numbers) or last >= len(numbers):
        raise PickleError(f"it has a tensor of shape {shape!r:.60}, larger than its storage of {len(numbers)} numbers")
    steps = [step * numbers.itemsize for step in strides]
    array = np.lib.stride_tricks.as_strided(numbers[min(offset, len(numbers)) :], shape, steps, writeable=False)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    native.flags.writeable = False
    return native


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _device(kind: str, index: int | None = None) -> str:
    if type(kind) is not str or type(index) not in (int, type(None)):
        raise PickleError("it has a malformed device")
    return kind if index is None else f"{kind}:{index}"
