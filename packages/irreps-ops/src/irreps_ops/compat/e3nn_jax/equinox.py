"""e3nn-jax's Equinox module, from whichever binding of that name is installed when it is asked for."""

from typing import Any

import irreps_ops

from . import _layers


def __getattr__(name: str) -> Any:
    if name != "Linear":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; modules: Linear")
    return irreps_ops.binding("equinox").module(_layers.Linear)


def __dir__() -> list[str]:
    return ["Linear"]
