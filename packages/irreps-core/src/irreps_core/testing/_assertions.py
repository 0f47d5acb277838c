"""Assertions for equivariant code, and random irreps."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from irreps_core._inputs._modules import set_module
from irreps_core._inputs._namespace import is_jax
from irreps_core.irreps._irreps import Irreps

from ._equivariance import (
    Experiment,
    Transformation,
    act,
    flatten,
    is_floating,
    map_irreps_arrays,
    random_generator,
    rounded,
)


def assert_equivariant(
    fun: Callable[..., Any],
    rng: Any,
    *args: Any,
    positions: int | Sequence[int] = (),
    mirrors: bool = True,
    draws: int = 3,
    leading_shape: Sequence[int] = (),
    dtype: Any = None,
    atol: float | None = None,
    rtol: float | None = None,
) -> None:
    """Assert that a function is equivariant, :math:`f(g x) = g f(x)`.

    Here g are random rotations, mirrors and, if wanted, translations.

    The transformations are made and applied in float64, whatever the dtype of the data, so that the measured error is
    that of `fun`. On failure the message says under which transformation it fails and by how much, in which item of the
    output, and which argument breaks it.

    Args:
        fun: the function. Its arguments and its output are IrrepsArrays, or tuples, lists or dicts of them (with JAX,
            any pytrees). Other arrays and numbers count as invariant.
        rng: a JAX random key, a ``numpy.random.Generator`` or an integer seed.
        args: the arguments of `fun`. Irreps (or a string of irreps) stand for random data of these irreps, new in each
            draw: JAX arrays if `rng` is a JAX key, NumPy arrays otherwise.
        positions: the numbers, from 0, of the arguments that are positions, of irreps 1o. They are also translated, all
            by the same vector, which must leave the output unchanged.
        mirrors: whether to test mirrors (determinant -1), too.
        draws: the number of draws of random data and transformations.
        leading_shape: shape of random data, without the irreps axis.
        dtype: dtype of random data. Default: that of the given IrrepsArrays, or else the default float.
        atol: allowed absolute error. Default: that of `rtol`, which suits values of order one.
        rtol: allowed error, relative to the largest component of the item of the output. Default: :math:`ε^{2/3}`
            of the least precise dtype that occurs: 2.4e-5 in float32, 3.7e-11 in float64.

    Raises:
        AssertionError: the function is not equivariant, or its output is not finite.
        TypeError: no argument is an IrrepsArray or irreps, or `rng` is not a source of random numbers.
        ValueError: an argument named in `positions` is not of irreps 1o.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_core.testing import assert_equivariant
        >>> assert_equivariant(ic.cross, 0, "1o", "1o")
        >>> assert_equivariant(lambda x: ic.IrrepsArray("1o", abs(x.array)), 0, "1o")
        Traceback (most recent call last):
        ...
        AssertionError: ... is not equivariant ...
    """
    experiment = Experiment(fun, rng, args, positions, mirrors, leading_shape, dtype)
    worst = experiment.worst(draws, atol, rtol, measure=lambda defect: defect.severity)
    failed = [kind for kind, defect in worst.items() if defect.fails]
    if failed:
        raise AssertionError(experiment.report(worst, failed[0], draws))


def equivariance_error(
    fun: Callable[..., Any],
    rng: Any,
    *args: Any,
    positions: int | Sequence[int] = (),
    mirrors: bool = True,
    draws: int = 3,
    leading_shape: Sequence[int] = (),
    dtype: Any = None,
) -> dict[str, float]:
    """Return how far a function is from equivariance under each kind of transformation.

    Arguments as in :func:`assert_equivariant`.

    Returns:
        For ``"rotation"``, ``"mirror"`` and ``"translation"`` (those tested) the largest difference between
        :math:`f(g x)` and :math:`g f(x)`, divided by the largest component of that output array.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_core.testing import equivariance_error
        >>> pseudo = lambda x: ic.IrrepsArray("0o", x.array)  # 0o changes its sign in a mirror, but 0e does not
        >>> {kind: error > 0.1 for kind, error in equivariance_error(pseudo, 0, "0e").items()}
        {'rotation': False, 'mirror': True}
    """
    experiment = Experiment(fun, rng, args, positions, mirrors, leading_shape, dtype)
    worst = experiment.worst(draws, None, None, measure=lambda defect: defect.relative)
    return {kind: defect.relative for kind, defect in worst.items()}


def equivariance_test(fun: Callable[..., Any], rng: Any, *args: Any) -> tuple[Any, Any]:
    """Return both sides of :math:`f(g x) = g f(x)`, for one random rotation followed by the inversion of space.

    Arguments as in :func:`assert_equivariant`.

    Returns:
        :math:`f(g x)` and :math:`g f(x)`.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_core.testing import equivariance_test
        >>> one, other = equivariance_test(lambda x: 2 * x, 0, "0o")
        >>> (one - other).array
        array([0.])
    """
    experiment = Experiment(fun, rng, args)
    values = experiment.draw_values()
    g = Transformation("mirror", -experiment.draw_rotation())
    return experiment.apply(values, g), map_irreps_arrays(lambda y: rounded(act(g, y), y), fun(*values))


def random_irreps(rng: Any, *, lmax: int = 3, mul_max: int = 4, length_max: int = 4) -> Irreps:
    """Return random irreps of one to `length_max` items.

    Args:
        rng: a JAX random key, a ``numpy.random.Generator`` or an integer seed.
        lmax: the highest degree.
        mul_max: the highest multiplicity; the lowest is one.
        length_max: the largest number of items.

    Example:
        >>> from irreps_core.testing import random_irreps
        >>> random_irreps(0).lmax <= 3
        True
    """
    generator = random_generator(rng)
    length = generator.integers(1, length_max + 1)
    muls = generator.integers(1, mul_max + 1, length).tolist()
    degrees = generator.integers(0, lmax + 1, length).tolist()
    parities = generator.choice([-1, 1], length).tolist()
    return Irreps([(mul, (l, p)) for mul, l, p in zip(muls, degrees, parities, strict=True)])


def assert_output_dtype_matches_input_dtype(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Assert that float32 in gives float32 out, and float64 in float64 out.

    Args:
        fun: the function. With JAX arrays it is only traced, with NumPy arrays it is called.
        args: its arguments, whose floating-point arrays are converted to each of the two dtypes.
        kwargs: its keyword arguments, which are converted in the same way.

    Raises:
        AssertionError: an output has another dtype; the message names the output.
        ValueError: JAX is loaded, and its float64 is switched off.

    Example:
        >>> import numpy as np
        >>> from irreps_core.testing import assert_output_dtype_matches_input_dtype
        >>> assert_output_dtype_matches_input_dtype(np.sin, np.ones(2))
        >>> assert_output_dtype_matches_input_dtype(lambda x: x + np.arange(3.0), np.ones(3))
        Traceback (most recent call last):
        ...
        AssertionError: ... output is float64 for float32 arguments
    """
    jax = sys.modules.get("jax")
    if jax is not None and not jax.config.jax_enable_x64:
        raise ValueError("this test needs float64: call jax.config.update('jax_enable_x64', True) first")

    leaves, rebuild = flatten((args, kwargs))
    places = [i for i, (_, leaf) in enumerate(leaves) if is_floating(leaf)]

    def call(arrays: Sequence[Any]) -> Any:
        new = [leaf for _, leaf in leaves]
        for place, array in zip(places, arrays, strict=True):
            new[place] = array
        given, named = rebuild(new)
        return fun(*given, **named)

    floats = [leaves[place][1] for place in places]
    traced = any(is_jax(getattr(array, "array", array)) for array in floats)
    for dtype, complex_dtype in (("float32", "complex64"), ("float64", "complex128")):
        arrays = [x.astype(complex_dtype if "complex" in x.dtype.name else dtype) for x in floats]
        output = jax.eval_shape(call, arrays) if jax is not None and traced else call(arrays)
        for path, leaf in flatten(output)[0]:
            if is_floating(leaf) and leaf.dtype.name not in (dtype, complex_dtype):
                name = getattr(fun, "__name__", repr(fun))
                raise AssertionError(f"{name}: output{path} is {leaf.dtype.name} for {dtype} arguments")


set_module(
    "irreps_core.testing",
    [
        assert_equivariant,
        assert_output_dtype_matches_input_dtype,
        equivariance_error,
        equivariance_test,
        random_irreps,
    ],
)
