"""Conversion of ``e3nn.o3.Linear``."""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops import FunctionalLinear, Linear

from ._state import Converted, StateDict, read, refuse


def linear(
    state: StateDict,
    prefix: str,
    irreps_in: IntoIrreps,
    irreps_out: IntoIrreps,
    *,
    f_in: int | None = None,
    f_out: int | None = None,
    instructions: Sequence[tuple[int, int]] | None = None,
    biases: bool | Sequence[bool] = False,
    path_normalization: Literal["element", "path"] = "element",
) -> Converted:
    """Convert an ``e3nn.o3.Linear`` to a :class:`irreps_ops.Linear`.

    The array ``weight`` of e3nn concatenates the weights of all paths, each of shape (mul_in, mul_out), or
    (f_in, f_out, mul_in, mul_out). The layer has a parameter ``w[i_in,i_out]`` for each path and ``b[i_out]`` for the
    biases. The layer does not merge irreps, because for the path normalization "path" e3nn normalizes "3x0e + 7x0e"
    and "10x0e" differently. A module with external weights (``internal_weights=False``) has nothing to load:
    :class:`irreps_ops.FunctionalLinear` takes its weights in the same order, biases last.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in: irreps of the input. This and the following are the arguments of the module.
        irreps_out: irreps of the output.
        f_in: number of channels of the input, the axis before the irreps.
        f_out: number of channels of the output.
        instructions: pairs (i_in, i_out); the weights of equal pairs are added.
        biases: whether scalars have biases, for all or for each item of the output.
        path_normalization: ``"element"`` or ``"path"``.

    Raises:
        ValueError: an array is missing, unexpected or of another shape; the message states the expected and the actual
            shape. Channels together with instructions.

    Example:
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> layer, params = e3nn.linear({"weight": np.arange(6.0)}, "", "2x0e", "3x0e")
        >>> params
        {'w[0,0] 2x0e,3x0e': Array([[0., 1., 2.],
               [3., 4., 5.]], dtype=float...)}
    """
    irreps_in, irreps_out = Irreps(irreps_in), Irreps(irreps_out)
    what = f"Linear({irreps_in}, {irreps_out})"
    if (f_in is None) != (f_out is None) or (f_in is not None and instructions is not None):
        raise ValueError(f"{what}: f_in={f_in} and f_out={f_out} go together, and without instructions={instructions}")
    channels = () if f_in is None or f_out is None else (f_in, f_out)
    unique = None if instructions is None else list(dict.fromkeys((int(i), int(o)) for i, o in instructions))
    # Channels count as multiplicities.
    irreps = (f_in or 1) * irreps_in, (f_out or 1) * irreps_out
    theirs, ours = (FunctionalLinear(*irreps, pairs, biases, path_normalization) for pairs in (instructions, unique))
    own = {(path.i_in, path.i_out): path for path in ours.weights}
    shapes = [(irreps_in[p.i_in].mul, irreps_out[p.i_out].mul) for p in theirs.weights if p.i_in != -1]
    bias_shapes = [(irreps_out[p.i_out].mul,) for p in theirs.weights if p.i_in == -1]
    arrays = _split(state, prefix, "weight", channels, shapes, what)
    arrays += _split(state, prefix, "bias", channels[1:], bias_shapes, what)
    params: dict[str, np.ndarray] = {}
    for path, w in zip(theirs.weights, arrays, strict=True):
        to = own[path.i_in, path.i_out]
        if channels and path.i_in != -1:
            w = np.moveaxis(w, 1, 2)  # (f_in, f_out, mul_in, mul_out)
        # An instruction that is given twice counts twice in the normalization.
        w = w.reshape(to.path_shape) * np.asarray(path.path_weight / to.path_weight, w.dtype)
        name = ours.parameter_name(to)
        params[name] = params[name] + w if name in params else w
    layer = Linear(
        irreps_out,
        f_out,
        irreps_in=irreps_in,
        biases=biases,
        path_normalization=path_normalization,
        instructions=unique,
        force_irreps_out=True,
        simplify_irreps_internally=False,
    )
    return Converted(layer, {name: jnp.asarray(w) for name, w in params.items()})


def _split(
    state: StateDict, prefix: str, name: str, channels: tuple[int, ...], shapes: list[tuple[int, ...]], what: str
) -> list[np.ndarray]:
    """Split an array whose last axis concatenates those of all paths."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    if not sum(sizes):
        refuse(state, prefix, name, what)
        return [np.zeros((*channels, *shape), np.float32) for shape in shapes]
    array = read(state, prefix, name, (*channels, sum(sizes)), what)
    parts = np.split(array, np.cumsum(sizes)[:-1], axis=-1)
    return [part.reshape((*channels, *shape)) for part, shape in zip(parts, shapes, strict=True)]
