"""Pickling of jitted functions: by name where a name leads to them, as Python does for other functions."""

import copyreg
import importlib
import sys
from typing import Any

import jax

# Where to look first: a name of a private module may be gone in the next release of JAX.
_PUBLIC = ("jax.nn", "jax.numpy", "jax.lax", "jax.scipy.special")


def _reduce(function: Any) -> Any:
    """Return how to make a jitted function, or one with a rule for its derivative, again; see :mod:`copyreg`.

    JAX pickles the function inside, and so fails for one that a decorator made, such as ``jax.nn.silu``.
    """
    name, home = getattr(function, "__qualname__", ""), getattr(function, "__module__", "")
    for module in (*_PUBLIC, home):
        if module in sys.modules and _find(module, name) is function:
            return _find, (module, name)
    # ``jitted = jax.jit(plain)`` has the name of what is inside.
    for name, value in list(vars(sys.modules[home]).items()) if home in sys.modules else ():
        if value is function:
            return _find, (home, name)
    return function.__reduce_ex__(2)


def _find(module: str, name: str) -> Any:
    """Return the object of a dotted name in a module, or None."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _jitted(x: Any) -> Any:
    return x


for _type in (type(jax.jit(_jitted)), jax.custom_jvp, jax.custom_vjp):
    copyreg.pickle(_type, _reduce)
