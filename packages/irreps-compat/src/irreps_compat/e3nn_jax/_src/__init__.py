"""The private modules of e3nn-jax that programs import, such as `_src.su2`, as aliases.

`_table.py` lists the modules of release 0.21, and those of earlier releases, with their public names and the private
ones that programs use.
"""

import sys
from collections.abc import Mapping
from functools import reduce
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from irreps_compat import e3nn_jax

from . import _helpers
from ._table import MODULES


class _Aliases(ModuleType):
    """A module whose attributes are looked up elsewhere when they are first used.

    Args:
        name: name of the module.
        names: for each attribute the dotted name of its value, in `_helpers` or else in the package.
    """

    def __init__(self, name: str, names: Mapping[str, str]) -> None:
        """See the class."""
        super().__init__(name, "Aliases of the names of a private module of e3nn-jax.")
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__path__ = []
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        first, *rest = self._names[name].split(".")
        value = reduce(getattr, rest, getattr(_helpers if hasattr(_helpers, first) else e3nn_jax, first))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._names})


def _names(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in text.split())
    return {name: value or name for name, _, value in pairs}


for _path, _text in MODULES.items():
    _module = _Aliases(f"{__name__}.{_path}", _names(_text))
    sys.modules[_module.__name__] = _module
    _parent, _, _last = _module.__name__.rpartition(".")
    setattr(sys.modules[_parent], _last, _module)
