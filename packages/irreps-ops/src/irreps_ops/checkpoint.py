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
import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops.bindings._module_class import layer_arguments
from irreps_ops.scope._scope import Parameters
from irreps_ops.scope._trees import check_tree, tree_leaves, tree_of_leaves

PathLike: TypeAlias = str | os.PathLike[str]

__all__ = ["CONVENTION", "FORMAT", "NORMALIZATION", "Checkpoint", "load", "read_header", "save"]

FORMAT = 1  # version of the header
# The meaning of parameters depends on these; see docs/conventions.md.
CONVENTION = "e3nn: polar axis y, components of degree l in the order -l .. l, multiplicity before component"
NORMALIZATION = "component"

_KEY = "irreps"  # key of our header in the metadata of the file
# The names that safetensors gives to dtypes; those of integers and bool follow a rule.
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# Optional arguments of layers that only state the expected input.
_EXPECTATIONS = ("irreps", "irreps_in", "irreps_in1", "irreps_in2")
_BRANCHES = ("parameters", "state")


class Checkpoint(NamedTuple):
    """The content of a file.

    Attributes:
        parameters: a tree of names: nested dicts of arrays.
        state: a tree of state, for example of running statistics; empty if there is none.
        header: a description of the model, see :func:`save`.
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
    numbers), ``version`` (of irreps-ops), ``layer`` (its name and arguments), ``irreps_in`` and ``about``.

    Args:
        path: path of the file. An existing file is replaced in one step, so no file is ever incomplete.
        parameters: a tree of names, as :func:`irreps_ops.init` or `to_trees` of a binding returns it.
        state: a tree of state.
        layer: the layer of the parameters. For a model of several layers, omit it or pass the most informative one.
        irreps_in: irreps of the inputs.
        about: further information that can be written as JSON, for example dates and settings.

    Raises:
        ImportError: safetensors is not installed.
        TypeError: `about` cannot be written as JSON.
        ValueError: a name contains a slash, or a leaf is not an array.
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
    arrays = {}
    for branch, tree in zip(_BRANCHES, (parameters, state or {}), strict=True):
        _check_names(tree)
        for name, leaf in tree_leaves(tree, f"{branch}/"):
            if not hasattr(leaf, "dtype"):
                raise ValueError(f"{name!r} is of type {type(leaf).__name__}: only arrays can be saved")
            arrays[name] = np.asarray(leaf, order="C")
    text = module.numpy.save(arrays, {_KEY: json.dumps(header, sort_keys=True)})
    path = os.fspath(path)
    unfinished = f"{path}.unfinished"
    with open(unfinished, "wb") as file:
        file.write(text)
    os.replace(unfinished, path)


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
        like: parameters with the expected names and shapes.
        dtype: dtype of floating-point arrays (default: that of the file).

    Returns:
        Parameters, state and header; the arrays are JAX arrays.

    Raises:
        ImportError: safetensors is not installed.
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a checkpoint, or has a newer format, another convention or another model, where the
            message names both sides; or it contains float64 numbers while JAX has them disabled.
    """
    module = _safetensors()
    with open(path, "rb") as file:
        data = file.read()
    header = _header(path, data)
    expected: dict[str, Any] = {"convention": CONVENTION, "normalization": NORMALIZATION}
    if layer is not None:
        expected["layer"] = _layer_header(layer)
    if irreps_in is not None:
        expected["irreps_in"] = _irreps_header(irreps_in)
    differences = [line for name, value in expected.items() for line in _differences(name, header.get(name), value)]
    if differences:
        raise ValueError(f"{path} belongs to another model: {'; '.join(differences)}")
    try:
        arrays = dict(module.deserialize(data))
    except module.SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    tree = tree_of_leaves({name: _array(path, arrays[name], dtype) for name in sorted(arrays)})
    parameters, state = (tree.get(branch, {}) for branch in _BRANCHES)
    if like is not None:
        try:
            check_tree(parameters, like)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return Checkpoint(parameters, state, header)


def read_header(path: PathLike) -> dict[str, Any]:
    """Return the header of a file without reading the arrays. Does not need safetensors.

    Args:
        path: path of the file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a checkpoint, or has a newer format.
    """
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        limit = os.fstat(file.fileno()).st_size
        return _header(path, size.to_bytes(8, "little") + file.read(min(size, limit)))


def _array(path: PathLike, found: Mapping[str, Any], dtype: Any) -> jax.Array:
    stored = jnp.dtype(_DTYPES.get(found["dtype"], found["dtype"].replace("I", "int").replace("U", "uint").lower()))
    array = np.frombuffer(found["data"], stored).reshape(found["shape"])
    dtype = dtype if dtype is not None and jnp.issubdtype(array.dtype, jnp.floating) else array.dtype
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(f"{path} has {dtype} numbers, which JAX has disabled: set jax_enable_x64, or pass a dtype")
    return jnp.asarray(array, dtype)


def _header(path: PathLike, data: bytes) -> dict[str, Any]:
    """Return our header, from the metadata of the header of safetensors: eight bytes for its length, then JSON."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        written = header["format"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} is not a checkpoint of irreps: expected a file of safetensors with the metadata {_KEY!r}"
        ) from None
    if written != FORMAT:
        raise ValueError(f"{path} has format {written}, but this irreps-ops reads {FORMAT}: install a newer version")
    return header


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
        yield f"{name} is {found!r}, expected {expected!r}"


def _check_names(tree: Parameters) -> None:
    for name, branch in tree.items():
        if "/" in str(name):
            raise ValueError(f"{name!r} has a slash, which separates names: save a tree, as `to_trees` returns it")
        if isinstance(branch, Mapping):
            _check_names(branch)


def _safetensors() -> Any:
    try:
        importlib.import_module("safetensors.numpy")
        return importlib.import_module("safetensors")
    except ImportError:
        raise ImportError("checkpoints need safetensors: pip install irreps-ops[checkpoint]") from None
