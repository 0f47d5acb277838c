"""e3nn-jax's Equinox module, from whichever binding of that name is installed when it is asked for.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.equinox.Linear(irreps_in="0e + 1o", irreps_out="1o", key=key)  # doctest: +SKIP
"""

from functools import cache
from typing import Any


@cache
def _linear_class() -> Any:
    from ._equinox_linear import linear_class

    return linear_class()


def __getattr__(name: str) -> Any:
    if name == "Linear":
        return _linear_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; modules: Linear")


def __dir__() -> list[str]:
    return ["Linear"]
