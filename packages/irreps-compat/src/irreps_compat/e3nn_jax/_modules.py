"""Modules of frameworks as attributes of a package: the binding is looked for when one of them is asked for."""

from collections.abc import Callable, Mapping
from typing import Any

import irreps_ops


def lookup(package: str, modules: Mapping[str, tuple[str, type]]) -> Callable[[str], Any]:
    """``__getattr__`` of a package.

    Args:
        package: its name, for the error message.
        modules: for each name the name of the binding and the layer.
    """

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; modules: {', '.join(modules)}")
        binding, layer = modules[name]
        return irreps_ops.binding(binding).module(layer)

    return __getattr__


def named(binding: str, *layers: type) -> dict[str, tuple[str, type]]:
    """Layers of one binding, by their names."""
    return {layer.__name__: (binding, layer) for layer in layers}
