"""Checks of functions, see :mod:`irreps_compat.e3nn_jax.utils`."""

from irreps_compat.e3nn_jax.utils import assert_equivariant as assert_equivariant
from irreps_compat.e3nn_jax.utils import (
    assert_output_dtype_matches_input_dtype as assert_output_dtype_matches_input_dtype,
)
from irreps_compat.e3nn_jax.utils import equivariance_test as equivariance_test
