"""The layer `Embedding`: a table with a row for each species."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr

LAYER = irr.Embedding("3x0e + 2x0e", 4, dtype=jnp.float32)
SPECIES = jnp.array([[3, 0], [0, 2]])
PARAMS = irr.init(LAYER, jax.random.key(0), SPECIES)


def test_the_output_is_a_row_of_the_table():
    x = irr.apply(LAYER, PARAMS, SPECIES)
    assert x.irreps == "3x0e + 2x0e"
    assert x.dtype == jnp.float32
    np.testing.assert_array_equal(x.array, np.asarray(PARAMS["embeddings"])[np.asarray(SPECIES)])
    assert irr.Embedding("0e", 1).example() == (jax.ShapeDtypeStruct((), jnp.int32),)


def test_it_agrees_with_the_indexed_linear_map_of_one():
    one = jnp.ones((2, 2, 1), jnp.float32)
    linear = irr.Linear("5x0e", num_indexed_weights=4)
    params = {"w[0,0] 1x0e,5x0e": PARAMS["embeddings"][:, None]}
    np.testing.assert_array_equal(
        irr.apply(linear, params, SPECIES, one).array, irr.apply(LAYER, PARAMS, SPECIES).array
    )


def test_initial_values_have_variance_one():
    table = irr.init(irr.Embedding("100x0e", 100), jax.random.key(0), SPECIES)["embeddings"]
    np.testing.assert_allclose(np.var(table), 1, rtol=0.05)


def test_unknown_species_give_nan():
    x = irr.apply(LAYER, PARAMS, jnp.array([-1, 4, 1]))
    np.testing.assert_array_equal(np.isnan(x.array).all(axis=1), [True, True, False])


def test_the_derivative_counts_each_species():
    slope = jax.grad(lambda p: irr.apply(LAYER, p, SPECIES).array.sum())(PARAMS)["embeddings"]
    np.testing.assert_array_equal(slope[:, 0], [2, 0, 1, 1])


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match=r"scalars \(0e\) for irreps_out, got 1x1o"):
        irr.Embedding("1o", 4)
    with pytest.raises(ValueError, match="num_species of 1 or more, got 0"):
        irr.Embedding("0e", 0)
    with pytest.raises(ValueError, match="species that are integers, got float32"):
        irr.apply(LAYER, PARAMS, jnp.ones(3, jnp.float32))
