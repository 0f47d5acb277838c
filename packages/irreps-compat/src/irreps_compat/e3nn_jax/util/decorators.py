"""Functions of data that are also functions of irreps."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax

from irreps_compat.e3nn_jax._irreps_data import IrrepsData
from irreps_core import Irreps, IrrepsArray, ones


def overload_for_irreps_without_array(
    irrepsarray_argnums: int | Sequence[int] = (),
    irrepsarray_argnames: str | Sequence[str] = (),
    shape: Sequence[int] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function of IrrepsArrays answer irreps with irreps.

    Args:
        irrepsarray_argnums: which positional arguments are data.
        irrepsarray_argnames: which arguments, by name.
        shape: leading shape of the data that stands for irreps.

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
            bound.arguments.update({name: ones(x, shape) for name, x in data.items()})
            kinds = (IrrepsArray, IrrepsData)
            return jax.tree.map(
                lambda x: x.irreps if isinstance(x, kinds) else x,
                func(*bound.args, **bound.kwargs),
                is_leaf=lambda x: isinstance(x, kinds),
            )

        return wrapper

    return decorator


overload_for_irreps_without_data = overload_for_irreps_without_array
