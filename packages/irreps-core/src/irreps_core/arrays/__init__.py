"""`IrrepsArray`, an array together with the irreps of its last axis, and functions of IrrepsArrays.

`vmap`, which needs JAX, is not imported here.
"""

from irreps_core._inputs._modules import set_module

from . import _renamed as _renamed
from ._combining import concatenate, stack, where
from ._creation import as_irreps_array, from_chunks, normal, ones, ones_like, zeros, zeros_like
from ._irreps_array import IrrepsArray
from ._rearranging import align
from ._reducing import cross, dot, mean, norm, sum

__all__ = [
    "IrrepsArray",
    "align",
    "as_irreps_array",
    "concatenate",
    "cross",
    "dot",
    "from_chunks",
    "mean",
    "norm",
    "normal",
    "ones",
    "ones_like",
    "stack",
    "sum",
    "where",
    "zeros",
    "zeros_like",
]

set_module("irreps_core", [globals()[_name] for _name in __all__])
