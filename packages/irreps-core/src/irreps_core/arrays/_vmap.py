"""`vmap` for functions of `IrrepsArray`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax

from irreps_core._inputs._modules import set_module

from ._irreps_array import IrrepsArray


@jax.tree_util.register_pytree_node_class
class _Flagged:
    """An IrrepsArray whose zero flags are part of the tree, so that the transformation keeps them."""

    def __init__(self, irreps: Any, zero_flags: Any, array: Any) -> None:
        self.irreps, self.zero_flags, self.array = irreps, zero_flags, array

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Any, Any]]:
        return (self.array,), (self.irreps, self.zero_flags)

    @classmethod
    def tree_unflatten(cls, aux: tuple[Any, Any], leaves: tuple[Any]) -> "_Flagged":
        return cls(*aux, *leaves)


def _wrap(x: Any) -> Any:
    return _Flagged(x.irreps, x.zero_flags, x.array) if isinstance(x, IrrepsArray) else x


def _unwrap(x: Any) -> Any:
    if not isinstance(x, _Flagged):
        return x
    try:
        return IrrepsArray(x.irreps, x.array, zero_flags=x.zero_flags)
    except ValueError as error:
        raise ValueError(f"vmap over the irreps axis is not equivariant: {error}") from None


def _map(function: Callable[[Any], Any], tree: Any, kind: type) -> Any:
    return jax.tree.map(function, tree, is_leaf=lambda x: isinstance(x, kind))


def _check(name: str, axes: Any, tree: Any) -> None:
    """Raise an error if an axis is that of the irreps of an array, also if both axes have the same length."""

    def check(axis: Any, part: Any) -> None:
        for x in jax.tree.leaves(part, is_leaf=lambda x: isinstance(x, _Flagged)):
            if isinstance(x, _Flagged) and axis is not None and axis in (-1, x.array.ndim - 1):
                raise ValueError(
                    f"{name}={axis} is the irreps axis of {x.irreps}, of shape {x.array.shape}, which vmap cannot map"
                )

    jax.tree.map(check, axes, tree, is_leaf=lambda axis: axis is None)


def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Return `jax.vmap` of a function, which keeps the zero flags of IrrepsArrays and refuses the irreps axis.

    Args:
        fun: the function to map.
        in_axes: as in :func:`jax.vmap`; axes count the irreps axis, which cannot be mapped.
        out_axes: as in :func:`jax.vmap`.

    Raises:
        ValueError: an axis to map is the irreps axis.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> x = ic.from_chunks("0e + 0o", [jnp.ones((10, 1, 1)), None], (10,))
        >>> ic.vmap(lambda x: 2 * x)(x).zero_flags
        (False, True)
    """
    for name, axes in (("in_axes", in_axes), ("out_axes", out_axes)):
        if -1 in jax.tree.leaves(axes):
            raise ValueError(f"{name}=-1 is the irreps axis, which vmap cannot map; count from the front")

    def flagged(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = _map(_unwrap, (args, kwargs), _Flagged)
        return _map(_wrap, fun(*args, **kwargs), IrrepsArray)

    @wraps(fun)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = _map(_wrap, (args, kwargs), IrrepsArray)
        out = jax.vmap(flagged, in_axes, out_axes)(*args, **kwargs)  # after JAX's own checks of the axes
        _check("in_axes", tuple(in_axes) if isinstance(in_axes, list) else in_axes, args)
        _check("out_axes", out_axes, out)
        return _map(_unwrap, out, _Flagged)

    return mapped


set_module("irreps_core", [vmap])
