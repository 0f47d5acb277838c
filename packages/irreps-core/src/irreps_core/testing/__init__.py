"""Tests of equivariant code: equivariance, dtypes, random irreps and hypothesis strategies.

They need neither a test framework nor JAX; only the strategies need hypothesis. All of them accept JAX arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from irreps_core._inputs._modules import set_module

from ._strategies import (
    irrep_strategy,
    irreps_array_strategy,
    irreps_expression_strategy,
    irreps_strategy,
    malformed_irreps_strategy,
    rotation_strategy,
)

if TYPE_CHECKING:
    from ._assertions import (
        assert_equivariant,
        assert_output_dtype_matches_input_dtype,
        equivariance_error,
        equivariance_test,
        random_irreps,
    )

__all__ = [
    "assert_equivariant",
    "assert_output_dtype_matches_input_dtype",
    "equivariance_error",
    "equivariance_test",
    "irrep_strategy",
    "irreps_array_strategy",
    "irreps_expression_strategy",
    "irreps_strategy",
    "malformed_irreps_strategy",
    "random_irreps",
    "rotation_strategy",
]

# Imported when first used, because IrrepsArray, which they need, imports JAX where it is installed.
_ASSERTIONS = {
    "assert_equivariant",
    "assert_output_dtype_matches_input_dtype",
    "equivariance_error",
    "equivariance_test",
    "random_irreps",
}


def __getattr__(name: str) -> Any:
    if name not in _ASSERTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    value = getattr(import_module(f"{__name__}._assertions"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


set_module(__name__, [globals()[_name] for _name in set(__all__) - _ASSERTIONS])
