"""A decorator that lets functions of data also be called with irreps."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax

from irreps_compat.e3nn_jax._irreps import Irreps
from irreps_compat.e3nn_jax._irreps_array import own
from irreps_compat.e3nn_jax._irreps_data import IrrepsData
from irreps_core import IrrepsArray, ones


def overload_for_irreps_without_array(
    irrepsarray_argnums: int | Sequence[int] = (),
    irrepsarray_argnames: str | Sequence[str] = (),
    shape: Sequence[int] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function of IrrepsArrays accept irreps; it then returns irreps.

    Args:
        irrepsarray_argnums: positions of the arguments that are data.
        irrepsarray_argnames: names of the arguments that are data.
        shape: leading shape of the data that replaces irreps.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> twice = overload_for_irreps_without_array((0,))(lambda x: e3nn.concatenate([x, x]))
        >>> twice("0e + 1o")
        1x0e+1x1o+1x0e+1x1o
    """
    numbers = (irrepsarray_argnums,) if isinstance(irrepsarray_argnums, int) else irrepsarray_argnums
    given = (irrepsarray_argnames,) if isinstance(irrepsarray_argnames, str) else irrepsarray_argnames

    def decorator(func: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(func)
        names = {*given, *(list(signature.parameters)[i] for i in numbers)}

        @wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            data = {name: x for name, x in bound.arguments.items() if name in names}
            if not any(isinstance(x, (Irreps, str)) for x in data.values()):
                return func(*args, **kwargs)
            bound.arguments.update({name: own(ones(Irreps(x), shape)) for name, x in data.items()})
            kinds = (IrrepsArray, IrrepsData)
            return jax.tree.map(
                lambda x: Irreps(x.irreps) if isinstance(x, kinds) else x,
                func(*bound.args, **bound.kwargs),
                is_leaf=lambda x: isinstance(x, kinds),
            )

        return wrapper

    return decorator


overload_for_irreps_without_data = overload_for_irreps_without_array
"""An earlier name of :func:`overload_for_irreps_without_array`."""
