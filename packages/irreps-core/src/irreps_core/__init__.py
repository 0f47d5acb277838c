"""The mathematics of rotations and mirrors in three dimensions, the group O(3).

* :class:`Irrep`, :class:`MulIrrep`, :class:`Irreps`: representations, the types of equivariant data;
* :class:`IrrepsArray` and functions of it: an array with its irreps, which checks equivariance;
* Clebsch-Gordan coefficients, generators and Wigner D matrices of any degree.

NumPy arrays in give NumPy arrays out, JAX arrays JAX arrays. Importing this package imports NumPy alone; JAX
is imported, where it is installed, at the first use of :class:`IrrepsArray`, which JAX has to know.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._caches import clear_caches as clear_caches
from ._clebsch_gordan import clebsch_gordan as clebsch_gordan
from ._irrep import Irrep as Irrep
from ._irrep import MulIrrep as MulIrrep
from ._irreps import IntoIrreps as IntoIrreps
from ._irreps import Irreps as Irreps

if TYPE_CHECKING:
    from . import irrep as irrep
    from ._combining import concatenate as concatenate
    from ._combining import stack as stack
    from ._combining import where as where
    from ._creation import as_irreps_array as as_irreps_array
    from ._creation import from_chunks as from_chunks
    from ._creation import normal as normal
    from ._creation import ones as ones
    from ._creation import ones_like as ones_like
    from ._creation import zeros as zeros
    from ._creation import zeros_like as zeros_like
    from ._irreps_array import IrrepsArray as IrrepsArray
    from ._rearranging import align as align
    from ._reducing import cross as cross
    from ._reducing import dot as dot
    from ._reducing import mean as mean
    from ._reducing import norm as norm
    from ._reducing import sum as sum
    from ._vmap import vmap as vmap

__version__ = "0.1.0"

# What is imported at its first use: it brings JAX, or is not for everybody.
_LAZY = {
    "_combining": ("concatenate", "stack", "where"),
    "_creation": ("as_irreps_array", "from_chunks", "normal", "ones", "ones_like", "zeros", "zeros_like"),
    "_irreps_array": ("IrrepsArray",),
    "_rearranging": ("align",),
    "_reducing": ("cross", "dot", "mean", "norm", "sum"),
    "_vmap": ("vmap",),
}
_MODULES = ("irrep", "perm", "plugins", "testing")
_HOME = {name: module for module, names in _LAZY.items() for name in names}

__all__ = sorted({name for name in globals() if not name.startswith("_")} | set(_HOME) | set(_MODULES))
__all__ = [name for name in __all__ if name not in ("import_module", "TYPE_CHECKING", "Any")]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
