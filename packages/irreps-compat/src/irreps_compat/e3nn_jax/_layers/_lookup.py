"""Framework module classes as attributes of a Python module, created when they are first used."""

from collections.abc import Callable, Mapping
from typing import Any

from irreps_ops.bindings import binding


def module_lookup(package: str, classes: Mapping[str, tuple[str, type]]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` that finds framework module classes by name.

    Args:
        package: name of the Python module that has the attributes, for the error message.
        classes: for each name, the name of the binding and the layer class.
    """

    def __getattr__(name: str) -> Any:
        if name not in classes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; modules: {', '.join(classes)}")
        framework, layer = classes[name]
        made = binding(framework).module(layer)
        made.__module__ = package  # where pickle finds it again
        return made

    return __getattr__


def classes_of(framework: str, *layers: type) -> dict[str, tuple[str, type]]:
    """Return the table that :func:`module_lookup` takes, for layers of one framework under their own names."""
    return {layer.__name__: (framework, layer) for layer in layers}
