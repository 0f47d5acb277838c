"""Checkpoints: files of parameters that every framework can read, with a header that describes the model.

The file format is safetensors: a JSON header, then the arrays. It contains no pickle, so reading a file runs no code.
The package safetensors is needed (``pip install irreps-ops[checkpoint]``). A binding converts the parameters of a model
to a tree of names, ``binding.to_trees``, and back, ``binding.from_trees``; the names are the same in all frameworks.

Example:
    >>> import os, tempfile
    >>> import jax
    >>> import irreps_ops as irr
    >>> from irreps_ops import checkpoint
    >>> layer, x = irr.Linear("4x0e + 1o"), irr.normal("2x0e + 1o", jax.random.key(0), (3,))
    >>> parameters = irr.init(layer, jax.random.key(1), x)
    >>> path = os.path.join(tempfile.mkdtemp(), "linear.safetensors")
    >>> checkpoint.save(path, parameters, layer=layer, irreps_in=x.irreps)
    >>> found = checkpoint.load(path, layer=layer, irreps_in=x.irreps)
    >>> bool((irr.apply(layer, found.parameters, x).array == irr.apply(layer, parameters, x).array).all())
    True
    >>> checkpoint.load(path, layer=irr.Linear("8x0e + 1o"))
    Traceback (most recent call last):
    ...
    ValueError: ...linear.safetensors belongs to another model: layer.irreps_out is '4x0e+1x1o', expected '8x0e+1x1o'
"""

import dataclasses
import hashlib
import importlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, set_module, shown
from irreps_ops._inputs._files import PathLike, read_file, write_file
from irreps_ops.bindings._module_class import layer_arguments
from irreps_ops.scope._scope import Parameters
from irreps_ops.scope._trees import check_tree, some, tree_leaves, tree_of_leaves

__all__ = ["CONVENTION", "FORMAT", "NORMALIZATION", "Checkpoint", "load", "read_header", "save", "write_file"]

FORMAT = 1
"""Version of the header of a file."""
# The meaning of parameters depends on these; see docs/conventions.md.
CONVENTION = "e3nn: polar axis y, components of degree l in the order -l .. l, multiplicity before component"
"""Convention of the numbers in a file."""
NORMALIZATION = "component"
"""Normalization of the numbers in a file."""

_KEY = "irreps"  # key of our header in the metadata of the file
_CHECKSUM = "sha256"  # key of the checksum in our header
_LONGEST_HEADER = 100_000_000  # bytes; safetensors has the same limit
_DEEPEST_ABOUT = 100  # levels; every version of Python reads and writes as many
# The names that safetensors gives to dtypes.
_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
# Optional arguments of layers that only state the expected input.
_EXPECTATIONS = ("irreps", "irreps_in", "irreps_in1", "irreps_in2")
_BRANCHES = ("parameters", "state")


class Checkpoint(NamedTuple):
    """The content of a file.

    Attributes:
        parameters: a tree of names: nested dicts of arrays.
        state: a tree of state, for example of running statistics; empty if there is none.
        header: a description of the model, see :func:`save`.

    Example:
        >>> import os, tempfile
        >>> import jax.numpy as jnp
        >>> from irreps_ops import checkpoint
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
        >>> checkpoint.save(path, {"w": jnp.ones(3)})
        >>> found = checkpoint.load(path)
        >>> found.parameters, found.state
        ({'w': Array([1., 1., 1.], dtype=float...)}, {})
    """

    parameters: dict[str, Any]
    state: dict[str, Any]
    header: dict[str, Any]


def save(
    path: PathLike,
    parameters: Parameters,
    state: Parameters | None = None,
    *,
    layer: Any = None,
    irreps_in: IntoIrreps | Sequence[Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write parameters to a file, with a header that describes the model.

    The header has the entries ``format``, ``convention`` and ``normalization`` (which define the meaning of the
    numbers), ``version`` (of irreps-ops), ``layer`` (its name and arguments), ``irreps_in``, ``about`` and ``sha256``,
    a checksum of the other entries, names and numbers. Equal parameters and headers make equal files.

    Args:
        path: path of the file. An existing file is replaced in one step, so no file is ever incomplete, see
            :func:`write_file`.
        parameters: a tree of names, as :func:`irreps_ops.init` or `to_trees` of a binding returns it.
        state: a tree of state.
        layer: the layer of the parameters. For a model of several layers, omit it or pass the most informative one.
        irreps_in: irreps of the inputs.
        about: further information that can be written as JSON, for example dates and settings.

    Raises:
        ImportError: safetensors is not installed.
        OSError: the file cannot be written; an existing one remains as it was.
        TypeError: `about` cannot be written as JSON.
        ValueError: a name contains a slash, two names are the same text, a leaf is not an array, or its dtype is one
            that files of safetensors lack; or the header is too long or too deep.

    Example:
        >>> import jax, tempfile
        >>> import irreps_ops as irr
        >>> from irreps_ops import checkpoint
        >>> layer = irr.Linear("2x0e")
        >>> params = irr.init(layer, jax.random.key(0), irr.ones("3x0e"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/layer.safetensors"
        ...     checkpoint.save(path, params, layer=layer, irreps_in="3x0e", about={"epoch": 7})
        ...     found = checkpoint.load(path, layer=layer)
        >>> found.header["about"], list(found.parameters)
        ({'epoch': 7}, ['w[0,0] 3x0e,2x0e'])
    """
    module = _safetensors()
    header = {
        "format": FORMAT,
        "convention": CONVENTION,
        "normalization": NORMALIZATION,
        "version": version("irreps-ops"),
        "layer": None if layer is None else _layer_header(layer),
        "irreps_in": None if irreps_in is None else _irreps_header(irreps_in),
        "about": dict(about or {}),
    }
    arrays: dict[str, np.ndarray] = {}
    for branch, tree in zip(_BRANCHES, (parameters, state or {}), strict=True):
        for name, leaf in tree_leaves(tree, f"{branch}/"):
            if name in arrays:
                raise ValueError(f"two leaves have the name {shown(name)}: names are texts, and 1 and '1' are one name")
            arrays[name] = _stored(name, leaf)
        _check_names(tree)
    _check_depth(header["about"], _DEEPEST_ABOUT)
    try:
        header = json.loads(json.dumps(header))  # as it will be read: names are texts
        header[_CHECKSUM] = _checksum(header, arrays)
        # One entry alone: safetensors writes several in random order.
        content = module.numpy.save(arrays, {_KEY: json.dumps(header, sort_keys=True)})
    except module.SafetensorError as error:
        raise ValueError(f"the parameters cannot be saved: {error}") from None
    if int.from_bytes(content[:8], "little") > _LONGEST_HEADER:
        raise ValueError(f"names and header have more than {_LONGEST_HEADER} bytes: shorten `about`")
    write_file(path, content)


def load(
    path: PathLike,
    *,
    layer: Any = None,
    irreps_in: IntoIrreps | Sequence[Any] | None = None,
    like: Parameters | None = None,
    dtype: Any = None,
) -> Checkpoint:
    """Read parameters from a file, and refuse those of another model.

    Args:
        path: path of the file.
        layer: the expected layer.
        irreps_in: the expected irreps of the inputs.
        like: parameters with the expected names, shapes and dtypes. The numbers of the file must then be finite.
        dtype: dtype of floating-point arrays (default: that of the file). Those of `like` may then have any precision.

    Returns:
        Parameters, state and header; the arrays are JAX arrays.

    Raises:
        ImportError: safetensors is not installed.
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a checkpoint, is damaged, or has a newer format, another convention or another
            model, where the message names both sides; or it contains float64 numbers while JAX has them disabled.
            Whatever the file contains, nothing else is raised, and memory is bounded by a multiple of its size.

    Example:
        >>> import os, tempfile
        >>> import jax.numpy as jnp
        >>> from irreps_ops import checkpoint
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
        >>> checkpoint.save(path, {"w": jnp.ones(3)})
        >>> checkpoint.load(path, like={"w": jnp.zeros(3)}).parameters
        {'w': Array([1., 1., 1.], dtype=float...)}
    """
    module = _safetensors()
    data = read_file(path)
    header = _header(path, data)
    expected: dict[str, Any] = {"convention": CONVENTION, "normalization": NORMALIZATION}
    if layer is not None:
        expected["layer"] = _layer_header(layer)
    if irreps_in is not None:
        expected["irreps_in"] = _irreps_header(irreps_in)
    differences = [line for name, value in expected.items() for line in _differences(name, header.get(name), value)]
    if differences:
        raise ValueError(f"{path} belongs to another model: {some(differences)}")
    try:
        arrays = {name: _read(found) for name, found in sorted(dict(module.deserialize(data)).items())}
        if _CHECKSUM in header and header[_CHECKSUM] != _checksum(header, arrays):
            raise ValueError("its checksum is that of other content")
        outside = [shown(name) for name in arrays if not name.startswith(tuple(f"{branch}/" for branch in _BRANCHES))]
        if outside:
            raise ValueError(f"it has arrays outside {' and '.join(_BRANCHES)}: {some(outside)}")
        tree = tree_of_leaves(arrays)
    except (module.SafetensorError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error!s:.400}") from None
    if like is not None:
        try:
            _check_like(tree.get("parameters", {}), like, dtype)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    tree = tree_of_leaves({name: _converted(path, name, array, dtype) for name, array in arrays.items()})
    parameters, state = (tree.get(branch, {}) for branch in _BRANCHES)
    return Checkpoint(parameters, state, header)


def read_header(path: PathLike) -> dict[str, Any]:
    """Return the header of a file without reading the arrays. Does not need safetensors.

    Args:
        path: path of the file.

    Returns:
        The entries that :func:`save` lists, a dict of texts and numbers.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a checkpoint, or has a newer format.

    Example:
        >>> import os, tempfile
        >>> import jax.numpy as jnp
        >>> from irreps_ops import checkpoint
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
        >>> checkpoint.save(path, {"w": jnp.ones(3)})
        >>> checkpoint.read_header(path)["normalization"]
        'component'
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is not a regular file")
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return _header(path, size.to_bytes(8, "little") + file.read(min(size, _LONGEST_HEADER)))


def _stored(name: str, leaf: Any) -> np.ndarray:
    """Return a leaf as an array that can be written: contiguous, in the byte order of this machine."""
    if not hasattr(leaf, "dtype"):
        raise ValueError(f"{shown(name)} is of type {type(leaf).__name__}: only arrays can be saved")
    # Random keys have a dtype of JAX.
    if not isinstance(leaf.dtype, np.dtype) or leaf.dtype.newbyteorder("=").name not in _DTYPES.values():
        raise ValueError(f"{shown(name)} has dtype {leaf.dtype}: expected one of {', '.join(_DTYPES.values())}")
    return np.asarray(leaf, leaf.dtype.newbyteorder("="), order="C")


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 sum of a header without its checksum, and of names, dtypes, shapes and bytes of arrays."""
    others = {name: value for name, value in header.items() if name != _CHECKSUM}
    found = hashlib.sha256(json.dumps(others, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        found.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _read(found: Mapping[str, Any]) -> np.ndarray:
    """Return an array of a file.

    Raises:
        ValueError: its dtype is unknown, a bool is neither 0 nor 1, or NumPy cannot make an array of its shape.
    """
    if found["dtype"] not in _DTYPES:
        raise ValueError(f"it has numbers of dtype {shown(found['dtype'])}, expected {', '.join(_DTYPES)}")
    array = np.frombuffer(found["data"], jnp.dtype(_DTYPES[found["dtype"]])).reshape(found["shape"])
    if array.dtype == np.bool_ and np.any(array.view(np.uint8) > 1):
        raise ValueError("it has bool that are neither 0 nor 1")
    return array


def _converted(path: PathLike, name: str, array: np.ndarray, dtype: Any) -> jax.Array:
    dtype = dtype if dtype is not None and jnp.issubdtype(array.dtype, jnp.floating) else array.dtype
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(f"{path} has {dtype} numbers, which JAX has disabled: set jax_enable_x64, or pass a dtype")
    return jnp.asarray(array, dtype)


def _check_like(found: Parameters, like: Parameters, dtype: Any) -> None:
    """Check names, shapes and dtypes of parameters, and that all numbers are finite."""
    check_tree(found, like)
    wanted = dict(tree_leaves(like))
    for name, array in tree_leaves(found):
        expected = getattr(wanted[name], "dtype", array.dtype)
        if dtype is None and array.dtype != expected:
            raise ValueError(
                f"{shown(name)} has dtype {array.dtype}, that of the model is {expected}: "
                "pass dtype to convert floating-point numbers"
            )
        if jnp.issubdtype(array.dtype, jnp.inexact) and not jnp.all(jnp.isfinite(array)):
            raise ValueError(f"{shown(name)} has numbers that are not finite: load without `like` to look at them")


def _header(path: PathLike, data: bytes) -> dict[str, Any]:
    """Return our header.

    The file begins with the header of safetensors, eight bytes for its length, then JSON; its metadata contain ours.
    """
    size = int.from_bytes(data[:8], "little")
    try:
        if size > _LONGEST_HEADER:
            raise ValueError
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        written, about = header["format"], header["about"]
        if not isinstance(about, dict):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(
            f"{path} is not a checkpoint of irreps: expected a file of safetensors with the metadata {_KEY!r}"
        ) from None
    if type(written) is not int or written != FORMAT:
        raise ValueError(
            f"{path} has format {shown(written)}, but this irreps-ops reads {FORMAT}: install a newer version"
        )
    return header


def _check_depth(value: Any, levels: int) -> None:
    """Refuse nested dicts and lists that some version of Python could write but another could not read."""
    if levels < 0:
        raise ValueError(f"`about` is too deep: expected at most {_DEEPEST_ABOUT} levels of dicts and lists")
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        _check_depth(part, levels - 1)


def _layer_header(layer: Any) -> dict[str, Any]:
    """Return the name and the arguments of a layer, except for the dtype, which the arrays have."""
    arguments = {name: _plain(value) for name, value in layer_arguments(layer).items() if name != "dtype"}
    return {"name": type(layer).__name__, **arguments}


def _irreps_header(irreps_in: Any) -> list[Any]:
    """Return a list with an item for each input: its irreps, or its number of plain features."""
    several = isinstance(irreps_in, Sequence) and not isinstance(irreps_in, str | Irreps)
    return [x if isinstance(x, int) else str(Irreps(x).simplify()) for x in (irreps_in if several else [irreps_in])]


def _plain(value: Any) -> Any:
    """Return an argument of a layer as JSON; for a function, its name."""
    if isinstance(value, Irreps):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"name": type(value).__name__, **fields}
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return np.asarray(value).tolist()
    name = getattr(value, "__qualname__", getattr(getattr(value, "__wrapped__", None), "__qualname__", None))
    return name or type(value).__name__


def _differences(name: str, found: Any, expected: Any) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(expected, dict) and found.get("name") == expected.get("name"):
        for key in dict.fromkeys((*found, *expected)):
            if key in _EXPECTATIONS and None in (found.get(key), expected.get(key)):
                continue
            yield from _differences(f"{name}.{key}", found.get(key), expected.get(key))
    elif found != expected:
        yield f"{name} is {shown(found, 400)}, expected {shown(expected, 400)}"


def _check_names(tree: Parameters) -> None:
    for name, branch in tree.items():
        if "/" in str(name):
            raise ValueError(f"{shown(name)} has a slash, which separates names: save a tree, as `to_trees` returns it")
        if isinstance(branch, Mapping):
            _check_names(branch)


def _safetensors() -> Any:
    try:
        importlib.import_module("safetensors.numpy")
        return importlib.import_module("safetensors")
    except ImportError:
        raise ImportError("checkpoints need safetensors: pip install irreps-ops[checkpoint]") from None


set_module(__name__, [write_file])
