"""Importing `irreps_compat.e3nn_jax` under the name `e3nn_jax`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

_THEIRS, _OURS = "e3nn_jax", "irreps_compat.e3nn_jax"


class _Finder(MetaPathFinder, Loader):
    """Finds `e3nn_jax` and its submodules in `irreps_compat`: the same module objects under two names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module of e3nn_jax; None for other modules. See :mod:`importlib.abc`."""
        if fullname.partition(".")[0] != _THEIRS:
            return None
        if find_spec(_OURS + fullname.removeprefix(_THEIRS)) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module of `irreps_compat`, which may have been imported before."""
        module = import_module(_OURS + spec.name.removeprefix(_THEIRS))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module, which has been executed, its own specification back: the import system replaced it."""
        module.__spec__ = module.__spec__.loader_state  # type: ignore[union-attr]  # just set by the import system


def redirect_e3nn_jax() -> None:
    """Let ``import e3nn_jax`` import `irreps_compat.e3nn_jax` in this process, also where e3nn-jax is installed.

    Raises:
        ImportError: e3nn_jax itself has been imported already.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if _THEIRS in sys.modules:
        raise ImportError(
            f"e3nn_jax has been imported already, from {getattr(sys.modules[_THEIRS], '__file__', None)}: redirect it "
            "before its first import"
        )
    sys.meta_path.insert(0, _Finder())
