"""Operations with the defaults of `config`, or that accepted IrrepsData in earlier releases of e3nn-jax."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

import irreps_ops as irr
from irreps_core import IntoIrreps, IrrepsArray

from ._config import default
from ._irreps import Irreps
from ._irreps_array import own_results
from ._irreps_data import for_irreps_data


def _accepting_irreps_data(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function of irreps_ops whose arguments are those of e3nn-jax."""
    wrapped = for_irreps_data(function)
    wrapped.__doc__ = f"See :func:`irreps_ops.{function.__name__}`."
    return wrapped


gate = _accepting_irreps_data(irr.gate)
norm_activation = _accepting_irreps_data(irr.norm_activation)
scalar_activation = _accepting_irreps_data(irr.scalar_activation)
scatter_max = _accepting_irreps_data(irr.scatter_max)
scatter_mean = _accepting_irreps_data(irr.scatter_mean)
scatter_sum = _accepting_irreps_data(irr.scatter_sum)
soft_normalization = _accepting_irreps_data(irr.soft_normalization)


@for_irreps_data
def index_add(indices: Any = None, input: Any = None, out_dim: int | None = None, **options: Any) -> Any:
    """See :func:`irreps_ops.index_add`; `out_dim` may be positional, as in releases before 0.13.1."""
    return irr.index_add(indices, input, out_dim=out_dim, **options)


@for_irreps_data
def tensor_product(
    input1: Any,
    input2: Any,
    *,
    filter_ir_out: Any = None,
    irrep_normalization: Any = None,
    regroup_output: bool = True,
    custom_einsum_jvp: bool | None = None,
    fused: bool | None = None,
    sparse: bool | None = None,
) -> Any:
    """See :func:`irreps_ops.tensor_product`; with the defaults of `config`.

    The last three arguments chose an algorithm in earlier releases, and have no effect.
    """
    del custom_einsum_jvp, fused, sparse
    return irr.tensor_product(
        input1,
        input2,
        filter_ir_out=filter_ir_out,
        irrep_normalization=default("irrep_normalization", irrep_normalization),
        regroup_output=regroup_output,
    )


@for_irreps_data
def full_tensor_product(input1: Any, input2: Any, filter_ir_out: Any = None, irrep_normalization: Any = None) -> Any:
    """Return the tensor product of releases before 0.14, in which irreps are sorted and not merged.

    Example:
        >>> import jax.numpy as jnp
        >>> from irreps_compat.e3nn_jax import IrrepsData, full_tensor_product
        >>> x = IrrepsData.from_contiguous("1o", jnp.array([2.0, 0.0, 0.0]))
        >>> y = IrrepsData.from_contiguous("1o", jnp.array([0.0, 2.0, 0.0]))
        >>> full_tensor_product(x, y)
        IrrepsData(1x0e+1x1e+1x2e [0. 0. 0. 2.8284 0. 2.8284 0. 0. 0. ])
        >>> full_tensor_product("1o", "1o", filter_ir_out=("1e",))
        1x1e
    """
    product = tensor_product(
        input1,
        input2,
        filter_ir_out=filter_ir_out,
        irrep_normalization=irrep_normalization,
        regroup_output=False,
    )
    return product.sort().irreps if isinstance(product, Irreps) else product.sort()


@for_irreps_data
def elementwise_tensor_product(
    input1: Any, input2: Any, filter_ir_out: Any = None, irrep_normalization: Any = None
) -> Any:
    """See :func:`irreps_ops.elementwise_tensor_product`; with the defaults of `config`."""
    return irr.elementwise_tensor_product(
        input1,
        input2,
        filter_ir_out=filter_ir_out,
        irrep_normalization=default("irrep_normalization", irrep_normalization),
    )


@for_irreps_data
def tensor_square(
    input: Any,
    *,
    irrep_normalization: Any = None,
    normalized_input: bool = False,
    regroup_output: bool = True,
    custom_einsum_jvp: bool | None = None,
    fused: bool | None = None,
) -> Any:
    """See :func:`irreps_ops.tensor_square`; with the defaults of `config`. The last two arguments have no effect."""
    del custom_einsum_jvp, fused
    return irr.tensor_square(
        input,
        irrep_normalization=default("irrep_normalization", irrep_normalization),
        normalized_input=normalized_input,
        regroup_output=regroup_output,
    )


@own_results
def reduced_symmetric_tensor_product_basis(
    irreps: IntoIrreps,
    degree: int,
    *,
    epsilon: float = 1e-5,
    keep_ir: Any = None,
    max_order: int | None = None,
    _use_optimized_implementation: bool = True,
) -> IrrepsArray:
    """See :func:`irreps_ops.reduced_symmetric_tensor_product_basis`; the last argument has no effect."""
    del _use_optimized_implementation
    return irr.reduced_symmetric_tensor_product_basis(
        irreps, degree, epsilon=epsilon, keep_ir=keep_ir, max_order=max_order
    )


@for_irreps_data
def spherical_harmonics(
    irreps_out: IntoIrreps | int | Sequence[int],
    input: Any,
    normalize: bool,
    normalization: Any = None,
    *,
    algorithm: Any = None,
) -> Any:
    """See :func:`irreps_ops.spherical_harmonics`; with the defaults of `config`.

    `algorithm` has no effect, because one algorithm serves every degree.
    """
    del algorithm
    normalization = default("spherical_harmonics_normalization", normalization)
    return irr.spherical_harmonics(irreps_out, input, normalize, normalization)


def sh(
    irreps_out: IntoIrreps | int | Sequence[int],
    input: jax.Array,
    normalize: bool,
    normalization: Any = None,
    *,
    algorithm: Any = None,
) -> jax.Array:
    """See :func:`irreps_ops.sh`; with the defaults of `config`. `algorithm` has no effect."""
    del algorithm
    return irr.sh(irreps_out, input, normalize, default("spherical_harmonics_normalization", normalization))


def soft_one_hot_linspace(
    input: Any,
    start: float,
    end: float,
    number: int,
    basis: Any = None,
    cutoff: bool | None = None,
    start_zero: bool | None = None,
    end_zero: bool | None = None,
) -> jax.Array:
    """See :func:`irreps_ops.soft_one_hot_linspace`; all arguments may be positional, as in release 0.4."""
    return irr.soft_one_hot_linspace(
        input,
        start=start,
        end=end,
        number=number,
        basis=basis,
        cutoff=cutoff,
        start_zero=start_zero,
        end_zero=end_zero,
    )


@own_results
def normal(
    irreps: IntoIrreps,
    key: Any = None,
    leading_shape: Sequence[int] = (),
    *,
    normalize: bool = False,
    normalization: Any = None,
    dtype: Any = None,
) -> IrrepsArray:
    """See :func:`irreps_core.normal`; with the defaults of `config`."""
    normalization = default("irrep_normalization", normalization)
    return irr.normal(irreps, key, leading_shape, normalize=normalize, normalization=normalization, dtype=dtype)
