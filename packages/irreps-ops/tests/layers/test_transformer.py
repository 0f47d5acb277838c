"""The layer `Transformer`: attention by its definition, symmetry, coinciding points, padding."""

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
HEADS = 2
LAYER = irr.Transformer("2x0e + 2x1o", [4], jax.nn.silu, HEADS)
SPECS = irr.bindings.parameter_specs(LAYER, *LAYER.example("3x0e + 1o", X.irreps, dtype=F))
RNG = np.random.default_rng(0)
PARAMS = jax.tree.map(lambda spec: jnp.asarray(RNG.normal(size=spec.shape)), SPECS)


def edge_data(positions, senders, receivers):
    """Cutoffs, radial functions and harmonics."""
    vectors = irr.edge_vectors(positions, senders, receivers)
    r = ic.norm(ic.IrrepsArray("1o", vectors)).array[:, 0]
    return irr.soft_envelope(r, 8.0), irr.radial_basis(r, 4.0, 3), irr.spherical_harmonics("1o", vectors, True)


@jax.jit
def attend(positions, x):
    cutoff, scalars, harmonics = edge_data(positions, SENDERS, RECEIVERS)
    return irr.apply(LAYER, PARAMS, SENDERS, RECEIVERS, cutoff, ic.concatenate([scalars, harmonics]), x)


def messages(parameters, x, scalars, harmonics):
    """Features and their products with harmonics, times the outputs of a perceptron."""
    product = irr.tensor_product(x, harmonics, filter_ir_out="0e + 1o")
    found = ic.concatenate([x, product]).regroup()
    network = irr.MultiLayerPerceptron((4, found.irreps.num_irreps), jax.nn.silu, output_activation=False)
    weights = irr.apply(network, parameters, scalars)
    return found * ic.IrrepsArray([(found.irreps.num_irreps, "0e")], weights)


@jax.jit
def definition(positions, x):
    """Message by message and head by head, without the edge that is padding."""
    senders, receivers = SENDERS[:-1], RECEIVERS[:-1]
    cutoff, scalars, harmonics = edge_data(positions, senders, receivers)
    keys = messages(PARAMS["mlp_key"], x[senders], scalars, harmonics)
    values = messages(PARAMS["mlp_val"], x[senders], scalars, harmonics)
    pairs = list(zip(x[receivers].chunks, keys.chunks, strict=True))
    products = [jnp.einsum("eui,evi->euv", a, b).reshape(len(senders), -1) / a.shape[-1] ** 0.5 for a, b in pairs]
    products = jnp.concatenate(products, axis=1)
    (mix,) = PARAMS["linear_logit"].values()
    logits = products @ mix / products.shape[1] ** 0.5
    attention = cutoff[:, None] * jnp.exp(logits)
    attention = attention / jnp.zeros((4, HEADS)).at[receivers].add(attention)[receivers]
    heads = [jnp.repeat(attention**0.5, mul // HEADS, axis=1) for mul, _ in values.irreps]
    values = values * ic.IrrepsArray([(values.irreps.num_irreps, "0e")], jnp.concatenate(heads, axis=1))
    summed = irr.scatter_sum(values, dst=receivers, output_size=4)
    return irr.apply(irr.Linear("2x0e + 2x1o"), PARAMS["linear_out"], summed)


def test_is_attention_by_its_definition():
    found = attend(POSITIONS, X)
    np.testing.assert_allclose(found.array, definition(POSITIONS, X).array, atol=1e-12)
    np.testing.assert_array_equal(found.array[3], 0)


def test_is_equivariant():
    assert_equivariant(attend, 0, POSITIONS, X, positions=0, draws=1)


def test_first_and_second_derivatives_are_finite_where_points_coincide():
    def total(positions):
        return jnp.sum(attend(ic.IrrepsArray("1o", positions), X).array ** 2)

    @jax.jit
    def derivatives(positions):
        return jax.jvp(jax.grad(total), (positions,), (jnp.ones((4, 3)),))

    for positions in (POSITIONS.array, jnp.zeros((4, 3), F)):
        for derivative in derivatives(positions):
            assert np.isfinite(derivative).all()
            np.testing.assert_allclose(derivative.sum(0), 0, atol=1e-10)  # invariant under translations


def test_errors_name_the_expected_and_the_received_argument():
    layer = irr.Transformer("0e", [4], jax.nn.silu, HEADS)
    with pytest.raises(ValueError, match=r"num_heads=2, got 1x0e"):
        irr.bindings.parameter_specs(layer, *layer.example("3x0e + 1o", "0e"))
    with pytest.raises(ValueError, match=r"cutoff of shape \(edges,\)"):
        irr.bindings.parameter_specs(layer, SENDERS, RECEIVERS, jnp.ones(2), ic.ones("3x0e", (6,)), X)
    with pytest.raises(ValueError, match="num_heads of 1 or more, got 0"):
        irr.Transformer("0e", [4], jax.nn.silu, 0)
