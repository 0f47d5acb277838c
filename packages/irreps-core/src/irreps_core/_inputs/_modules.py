"""Public names of classes and functions that are defined in private files."""

import inspect
from collections.abc import Iterable
from typing import Any


def set_module(module: str, values: Iterable[Any]) -> None:
    """Make `module` the module of classes, of their methods, and of functions; other values stay unchanged.

    Reprs, pickles and the documentation then show the public name, and doctests of the module find the examples.

    Args:
        module: name of the module or package that offers the values.
        values: the values that it offers.

    Example:
        >>> from irreps_core import Irreps, set_module
        >>> Irreps.__module__, Irreps.simplify.__module__
        ('irreps_core', 'irreps_core')
    """
    for value in values:
        if inspect.isclass(value):
            home, value.__module__ = value.__module__, module
            members = (getattr(member, "__func__", member) for member in vars(value).values())
            # Not the methods that other modules put into classes, such as those of enums and protocols.
            set_module(module, (m for m in members if inspect.isfunction(m) and m.__module__ == home))
        elif inspect.isfunction(value):
            value.__module__ = module
