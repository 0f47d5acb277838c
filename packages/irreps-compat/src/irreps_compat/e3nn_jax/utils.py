"""e3nn-jax's `utils`: checks of functions of IrrepsArrays, and `vmap`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import rand_matrix

from ._irreps import Irreps
from ._irreps_array import IrrepsArray
from ._library import as_irreps_array as _as_irreps_array
from ._library import vmap as vmap
from ._operations import normal


def _floating_dtypes(tree: Any) -> list[Any]:
    dtypes = [x.dtype for x in jax.tree.leaves(tree) if hasattr(x, "dtype")]
    return [jnp.finfo(dtype).dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.inexact)]


def equivariance_test(fun: Callable[..., Any], rng_key: jax.Array, *args: Any) -> tuple[Any, Any]:
    """Return :math:`f(g x)` and :math:`g f(x)` for one random rotation and inversion g.

    Args:
        fun: a function of IrrepsArrays.
        rng_key: a JAX random key.
        args: its arguments; irreps stand for random data, other arrays are scalars.

    Example:
        >>> import jax, numpy as np
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> x = e3nn.IrrepsArray("1e", np.array([0.0, 4.0, 3.0]))
        >>> e3nn.utils.equivariance_test(e3nn.norm, jax.random.key(0), x)
        (1x0e [5.], 1x0e [5.])
    """
    args = tuple(Irreps(arg) if isinstance(arg, str) else arg for arg in args)
    args = tuple(arg if isinstance(arg, Irreps) else _as_irreps_array(arg) for arg in args)
    dtype = jnp.result_type(*(_floating_dtypes(args) or [jnp.float32]))
    data = []
    for arg in args:
        if isinstance(arg, Irreps):
            own, rng_key = jax.random.split(rng_key)
            arg = normal(arg, own, dtype=dtype)
        data.append(arg)
    # NumPy, to save compiling.
    R = -rand_matrix(np.random.default_rng(np.asarray(jax.random.key_data(rng_key))), (), dtype)
    first = fun(*(x.transform_by_matrix(R) for x in data))
    second = jax.tree.map(lambda x: x.transform_by_matrix(R), fun(*data), is_leaf=lambda x: isinstance(x, IrrepsArray))
    return first, second


def assert_equivariant(
    fun: Callable[..., Any],
    rng_key: jax.Array,
    *args: Any,
    atol: float = 1e-6,
    rtol: float = 1e-6,
    args_in: Any = None,
    irreps_in: Any = None,
    irreps_out: Any = None,
    tolerance: float = 1e-3,
) -> None:
    """Assert that both results of :func:`equivariance_test` agree.

    :func:`irreps_core.testing.assert_equivariant` also tests translations and further group elements, and names the
    argument that breaks the symmetry.

    Args:
        fun: a function of IrrepsArrays.
        rng_key: a JAX random key.
        args: its arguments, as for :func:`equivariance_test`.
        atol: allowed absolute error.
        rtol: allowed relative error.
        args_in: the arguments, under their name before 0.19.
        irreps_in: irreps of random arguments, under their name before 0.19.
        irreps_out: irreps of the result of a function of plain arrays, as before 0.9. Its arguments are `args_in` with
            `irreps_in`, or random of shape (4, irreps.dim); None denotes an argument or result that does not transform.
        tolerance: allowed absolute error of such a function.

    Raises:
        AssertionError: the results differ.
    """
    if irreps_out is not None:
        fun, args = _of_arrays(fun, rng_key, args_in, _listed(irreps_in), _listed(irreps_out))
        atol, rtol = tolerance, 0.0
    elif args_in is not None or irreps_in is not None:
        args = tuple(irreps_in if args_in is None else args_in)
    first, second = equivariance_test(fun, rng_key, *args)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=atol, rtol=rtol), first, second)


def _listed(irreps: Any) -> list[Irreps | None]:
    of_each = irreps if isinstance(irreps, (list, tuple)) and not isinstance(irreps, Irreps) else [irreps]
    return [None if ir is None else Irreps(ir) for ir in of_each]


def _of_arrays(fun: Callable[..., Any], rng_key: jax.Array, args: Any, irreps_in: Any, irreps_out: Any) -> Any:
    """Convert a function of plain arrays, and its arguments, to IrrepsArrays."""

    def data(irreps: Irreps | None, x: Any) -> IrrepsArray:
        return _as_irreps_array(x) if irreps is None else IrrepsArray(irreps, x)

    def wrapped(*xs: IrrepsArray) -> list[IrrepsArray]:
        out = fun(*(x.array for x in xs))
        out = out if isinstance(out, (list, tuple)) else [out]
        return [data(irreps, x) for irreps, x in zip(irreps_out, out, strict=True)]

    keys = jax.random.split(rng_key, len(irreps_in))
    if args is None:
        return wrapped, tuple(normal(irreps, key, (4,)) for irreps, key in zip(irreps_in, keys, strict=True))
    return wrapped, tuple(data(irreps, x) for irreps, x in zip(irreps_in, args, strict=True))


def assert_output_dtype_matches_input_dtype(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Assert that float32 arguments give float32 results, and float64 arguments float64 results.

    Args:
        fun: the function.
        args: its arguments, which are cast.
        kwargs: its keyword arguments, which are cast.

    Raises:
        AssertionError: the output has another dtype.
        ValueError: float64 is disabled in JAX.
    """
    if not jax.config.read("jax_enable_x64"):
        raise ValueError("assert_output_dtype_matches_input_dtype needs float64: set jax_enable_x64=True")

    def cast(x: Any, dtype: Any) -> Any:
        if jnp.issubdtype(x.dtype, jnp.complexfloating):
            return x.astype(jnp.result_type(dtype, jnp.complex64))
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    for dtype in (jnp.dtype("float32"), jnp.dtype("float64")):
        cast_args, cast_kwargs = jax.tree.map(lambda x, dtype=dtype: cast(x, dtype), (args, kwargs))
        found = _floating_dtypes(jax.eval_shape(fun, *cast_args, **cast_kwargs))
        if any(d != dtype for d in found):
            raise AssertionError(f"expected {dtype} -> {dtype}, got {', '.join(map(str, found))}")
