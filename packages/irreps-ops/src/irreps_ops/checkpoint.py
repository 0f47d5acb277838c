"""Parameters in files that every framework reads: a tree of names, and a header that says what they belong to.

The file is of the format safetensors: a JSON header, then the arrays; no pickle, nothing is run. It needs the package
safetensors (``pip install irreps-ops[checkpoint]``). A binding takes the parameters of a model of its framework apart,
``binding.to_trees``, and puts them into one, ``binding.from_trees``; the names are the same in all frameworks.

Example:
    >>> import os, tempfile
    >>> import jax
    >>> import irreps_core as ic, irreps_ops as irr
    >>> from irreps_ops import checkpoint
    >>> layer, x = irr.Linear("4x0e + 1o"), ic.normal("2x0e + 1o", jax.random.key(0), (3,))
    >>> parameters = irr.init(layer, jax.random.key(1), x)
    >>> path = os.path.join(tempfile.mkdtemp(), "linear.safetensors")
    >>> checkpoint.save(path, parameters, layer=layer, irreps_in=x.irreps)
    >>> found = checkpoint.load(path, layer=layer, irreps_in=x.irreps)
    >>> bool((irr.apply(layer, found.parameters, x).array == irr.apply(layer, parameters, x).array).all())
    True
    >>> checkpoint.load(path, layer=irr.Linear("8x0e + 1o"))
    Traceback (most recent call last):
    ...
    ValueError: ...linear.safetensors is of another model: its layer.irreps_out is '4x0e+1x1o', wanted is '8x0e+1x1o'
"""

import dataclasses
import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops.bindings._module_class import layer_arguments
from irreps_ops.scope._scope import Parameters
from irreps_ops.scope._trees import check_tree, tree_leaves, tree_of_leaves

PathLike: TypeAlias = str | os.PathLike[str]

FORMAT = 1  # the number of the format of the header
# What parameters mean depends on these; see docs/conventions.md.
CONVENTION = "e3nn: polar axis y, components of degree l in the order -l .. l, multiplicity before component"
NORMALIZATION = "component"

_KEY = "irreps"  # under which the header is in the metadata of the file
# What safetensors calls dtypes; those of integers and bool are regular.
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# Arguments of layers that may be left open, and change nothing when they are given.
_EXPECTATIONS = ("irreps", "irreps_in", "irreps_in1", "irreps_in2")
_BRANCHES = ("parameters", "state")


class Checkpoint(NamedTuple):
    """What is in a file.

    Attributes:
        parameters: a tree of names: dicts of dicts of arrays.
        state: another one, of running statistics and the like; empty if there is none.
        header: what they belong to, see :func:`save`.
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
    """Write parameters to a file, with a header that says what they belong to.

    The header has ``format``, ``convention`` and ``normalization`` (which both say what numbers mean), ``version`` (of
    irreps-ops), ``layer`` (its name and arguments), ``irreps_in`` and ``about``.

    Args:
        path: of the file, which is replaced if it is there, and never half written.
        parameters: a tree of names, as `init` of irreps_ops or `to_trees` of a binding give it.
        state: another one, of state.
        layer: the layer that they belong to; of a model of several, leave it out or give the one that says most.
        irreps_in: irreps of the inputs.
        about: anything else that JSON can hold, as dates and settings.

    Raises:
        ImportError: safetensors is not installed.
        TypeError: something in `about` is nothing that JSON can hold.
        ValueError: a name with a slash, or a leaf that is no array.
    """
    module = _safetensors()
    from . import __version__

    header = {
        "format": FORMAT,
        "convention": CONVENTION,
        "normalization": NORMALIZATION,
        "version": __version__,
        "layer": None if layer is None else _layer_header(layer),
        "irreps_in": None if irreps_in is None else _irreps_header(irreps_in),
        "about": dict(about or {}),
    }
    arrays = {}
    for branch, tree in zip(_BRANCHES, (parameters, state or {}), strict=True):
        _check_names(tree)
        for name, leaf in tree_leaves(tree, f"{branch}/"):
            if not hasattr(leaf, "dtype"):
                raise ValueError(f"{name!r} is no array but of type {type(leaf).__name__}: nothing else can be saved")
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
    """Read parameters from a file; refuse those that belong to something else.

    Args:
        path: of the file.
        layer: the layer that they must belong to.
        irreps_in: the irreps of the inputs that they must belong to.
        like: parameters of the same names and shapes, of a model that is to get these.
        dtype: of floating-point arrays; default: that of the file.

    Returns:
        Parameters, state and header; the arrays are JAX's.

    Raises:
        ImportError: safetensors is not installed.
        FileNotFoundError: there is no file of that name.
        ValueError: it is no checkpoint, of a newer format, of another convention, or of another model: names both
            sides; or it has numbers of float64, which JAX has switched off.
    """
    module = _safetensors()
    with open(path, "rb") as file:
        data = file.read()
    header = _header(path, data)
    wanted: dict[str, Any] = {"convention": CONVENTION, "normalization": NORMALIZATION}
    if layer is not None:
        wanted["layer"] = _layer_header(layer)
    if irreps_in is not None:
        wanted["irreps_in"] = _irreps_header(irreps_in)
    differences = [line for name, value in wanted.items() for line in _differences(name, header.get(name), value)]
    if differences:
        raise ValueError(f"{path} is of another model: its {'; its '.join(differences)}")
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
    """The header of a file, without the arrays. Needs no safetensors.

    Raises:
        FileNotFoundError: there is no file of that name.
        ValueError: it is no checkpoint, or of a newer format.
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
        raise ValueError(f"{path} has {dtype} numbers, which JAX has switched off: set jax_enable_x64, or give a dtype")
    return jnp.asarray(array, dtype)


def _header(path: PathLike, data: bytes) -> dict[str, Any]:
    """Ours, in the metadata of the header of safetensors: eight bytes that give its length, then JSON."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        written = header["format"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} is no checkpoint of irreps: expected a file of safetensors with the metadata {_KEY!r}"
        ) from None
    if written != FORMAT:
        raise ValueError(f"{path} is of format {written}, this irreps-ops reads {FORMAT}: install a newer one")
    return header


def _layer_header(layer: Any) -> dict[str, Any]:
    """Name and arguments, but for the dtype, which the arrays have."""
    arguments = {name: _plain(value) for name, value in layer_arguments(layer).items() if name != "dtype"}
    return {"name": type(layer).__name__, **arguments}


def _irreps_header(irreps_in: Any) -> list[Any]:
    """A list, one item for each input: irreps, or how many plain features."""
    several = isinstance(irreps_in, Sequence) and not isinstance(irreps_in, str | Irreps)
    return [x if isinstance(x, int) else str(Irreps(x).simplify()) for x in (irreps_in if several else [irreps_in])]


def _plain(value: Any) -> Any:
    """An argument of a layer as JSON has it; of functions the name."""
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


def _differences(name: str, found: Any, wanted: Any) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict) and found.get("name") == wanted.get("name"):
        for key in dict.fromkeys((*found, *wanted)):
            if key in _EXPECTATIONS and None in (found.get(key), wanted.get(key)):
                continue
            yield from _differences(f"{name}.{key}", found.get(key), wanted.get(key))
    elif found != wanted:
        yield f"{name} is {found!r}, wanted is {wanted!r}"


def _check_names(tree: Parameters) -> None:
    for name, branch in tree.items():
        if "/" in str(name):
            raise ValueError(f"{name!r} has a slash, which separates names: save a tree, as `to_trees` gives it")
        if isinstance(branch, Mapping):
            _check_names(branch)


def _safetensors() -> Any:
    try:
        importlib.import_module("safetensors.numpy")
        return importlib.import_module("safetensors")
    except ImportError:
        raise ImportError("checkpoints need safetensors: pip install irreps-ops[checkpoint]") from None
