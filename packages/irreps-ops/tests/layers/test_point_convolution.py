"""The layer `PointConvolution`: the sum of its messages, symmetry, coinciding points, padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64
# The last edge is padding, node 3 receives nothing.
SENDERS, RECEIVERS = np.array([0, 1, 2, 3, 0, 2]), np.array([1, 0, 1, 0, 2, 9])
POSITIONS = ic.normal("1o", jax.random.key(0), (4,), dtype=F)
X = ic.normal("2x0e + 2x1o", jax.random.key(1), (4,), dtype=F)
LAYER = irr.PointConvolution("0e + 2x1o", 4.0, avg_num_neighbors=1.5, sh_lmax=2, num_radial_basis=3, list_neurons=(4,))
SPECS = irr.bindings.parameter_specs(LAYER, *LAYER.example("1o", X.irreps, dtype=F))
RNG = np.random.default_rng(0)
PARAMS = jax.tree.map(lambda spec: jnp.asarray(RNG.normal(size=spec.shape)), SPECS)


@jax.jit
def convolve(positions, x):
    return irr.apply(LAYER, PARAMS, positions, x, SENDERS, RECEIVERS)


@jax.jit
def definition(positions, x):
    """Message by message, without the edge that is padding."""
    senders, receivers = SENDERS[:-1], RECEIVERS[:-1]
    vectors = positions[senders] - positions[receivers]
    x = irr.apply(irr.Linear(X.irreps), PARAMS["linear_up"], x)[senders]
    product = irr.tensor_product(x, irr.spherical_harmonics([1, 2], vectors, True), filter_ir_out="0e + 1o")
    messages = ic.concatenate([x, product]).regroup()
    network = irr.MultiLayerPerceptron((4, messages.irreps.num_irreps), jax.nn.gelu, output_activation=False)
    radial = irr.radial_basis(ic.norm(vectors).array[:, 0], 4.0, 3)
    weights = irr.apply(network, PARAMS["multi_layer_perceptron"], radial)
    messages = messages * ic.IrrepsArray([(messages.irreps.num_irreps, "0e")], weights)
    summed = irr.scatter_sum(messages, dst=receivers, output_size=4) / 1.5**0.5
    return irr.apply(irr.Linear("0e + 2x1o"), PARAMS["linear_down"], summed)


def test_is_the_sum_of_its_messages():
    found = convolve(POSITIONS, X)
    np.testing.assert_allclose(found.array, definition(POSITIONS, X).array, atol=1e-12)
    np.testing.assert_array_equal(found.array[3], 0)


def test_is_equivariant():
    assert_equivariant(convolve, 0, POSITIONS, X, positions=0, draws=1)


def test_first_and_second_derivatives_are_finite_where_points_coincide():
    def total(positions):
        return jnp.sum(convolve(ic.IrrepsArray("1o", positions), X).array ** 2)

    @jax.jit
    def derivatives(positions):
        return jax.jvp(jax.grad(total), (positions,), (jnp.ones((4, 3)),))

    for positions in (POSITIONS.array, jnp.zeros((4, 3), F)):
        for derivative in derivatives(positions):
            assert np.isfinite(derivative).all()
            np.testing.assert_allclose(derivative.sum(0), 0, atol=1e-10)  # invariant under translations


def test_points_without_edges_have_the_same_parameters_and_irreps():
    none = np.zeros(0, int)
    apply = jax.jit(functools.partial(irr.apply, LAYER))
    found = apply(PARAMS, POSITIONS, X, none, none)
    assert found.irreps == "0e + 2x1o"
    np.testing.assert_array_equal(found.array, 0)
    specs = irr.bindings.parameter_specs(LAYER, POSITIONS, X, none, none)
    assert jax.tree.map(lambda s: s.shape, specs) == jax.tree.map(lambda s: s.shape, SPECS)


def test_errors_name_the_expected_and_the_received_argument():
    with pytest.raises(ValueError, match="positions of irreps 1o or 1e, got 1x0e"):
        irr.bindings.parameter_specs(LAYER, *LAYER.example("0e", "0e"))
    with pytest.raises(ValueError, match=r"avg_num_neighbors, got 0\.0"):
        irr.PointConvolution("0e", 4.0, avg_num_neighbors=0.0)
    with pytest.raises(ValueError, match="radial_basis"):
        irr.PointConvolution("0e", -4.0, avg_num_neighbors=1.0)
