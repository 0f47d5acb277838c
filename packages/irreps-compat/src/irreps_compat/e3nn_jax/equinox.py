"""e3nn-jax's Equinox module `Linear`, made by the installed binding called "equinox" when it is first used.

Example:
    >>> import irreps_compat.e3nn_jax as e3nn
    >>> linear = e3nn.equinox.Linear(irreps_in="0e + 1o", irreps_out="1o", key=key)  # doctest: +SKIP
"""

from functools import cache
from typing import Any

from ._layers._equinox import linear_class

_linear_class = cache(linear_class)


def __getattr__(name: str) -> Any:
    if name == "Linear":
        return _linear_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; modules: Linear")


def __dir__() -> list[str]:
    return ["Linear"]
