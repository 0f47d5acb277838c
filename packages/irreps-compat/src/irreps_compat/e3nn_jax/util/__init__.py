"""The module that is called `utils` since release 0.18."""

from collections.abc import Iterable
from math import prod as _prod

from irreps_compat.e3nn_jax.utils import assert_equivariant as assert_equivariant
from irreps_compat.e3nn_jax.utils import (
    assert_output_dtype_matches_input_dtype as assert_output_dtype_matches_input_dtype,
)
from irreps_compat.e3nn_jax.utils import equivariance_test as equivariance_test
from irreps_compat.e3nn_jax.utils import vmap as vmap

from . import decorators as decorators
from . import test as test

assert_output_dtype = assert_output_dtype_matches_input_dtype
"""An earlier name of :func:`assert_output_dtype_matches_input_dtype`."""


def prod(xs: Iterable[int]) -> int:
    """Return the product of numbers; the present form is :func:`math.prod`."""
    return _prod(xs)
