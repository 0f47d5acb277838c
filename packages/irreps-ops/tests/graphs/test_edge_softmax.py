"""Softmax over the edges of each node: the definition, extreme logits and weights, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr

RECEIVERS = np.array([1, 0, 1, 0, 2, 9])  # the last edge is padding, node 3 has none


def softmax(receivers, num_nodes, **options):
    return jax.jit(lambda logits, weights: irr.edge_softmax(logits, receivers, num_nodes, weights=weights, **options))


def test_softmax_of_each_node_is_its_definition():
    rng = np.random.default_rng(0)
    logits, weights = rng.normal(size=(6, 2)), np.array([0.5, 1.0, 0.0, 2.0, 1.0, 1.0])
    found = softmax(RECEIVERS, 4)(logits, weights)
    for node in range(4):
        terms = (weights[:, None] * np.exp(logits))[node == RECEIVERS]
        np.testing.assert_allclose(found[node == RECEIVERS], terms / terms.sum(0), atol=1e-15)
    np.testing.assert_array_equal(found[5], 0)


def test_it_contains_no_infinities():
    """At edges of weight zero and nodes without edges, which `jax_debug_infs` would report."""
    with jax.debug_infs(True):
        found = softmax(jnp.array([0, 0, 1]), 3)(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [0, 1, 0])


def test_logits_and_weights_of_any_size_have_finite_values_and_derivatives():
    logits = jnp.array([1e4, 1e4, -1e4, -1e4, 0.0, jnp.nan], jnp.float32)
    weights = jnp.array([1.0, 3.0, 1e-37, 1e-37, 0.0, 1.0], jnp.float32)
    f = softmax(jnp.array([0, 0, 1, 1, 2, 2]), 4, mask=jnp.array([True] * 5 + [False]))
    np.testing.assert_allclose(f(logits, weights), [0.25, 0.75, 0.5, 0.5, 0, 0], atol=1e-6)
    derivatives = jax.jit(jax.jacobian(f, (0, 1)))(logits, weights)
    assert all(np.isfinite(d).all() for d in derivatives)


def test_the_derivative_by_a_weight_of_zero_is_that_of_the_definition():
    f = softmax(jnp.array([0, 0]), 1)
    found = jax.jit(jax.jacobian(f, 1))(jnp.array([1.0, 2.0]), jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(found[:, 0], [np.exp(-1), -np.exp(-1)], atol=1e-12)


def test_no_edges_or_nodes_give_zeros():
    assert irr.edge_softmax(jnp.zeros((0, 2)), np.zeros(0, int), 3).shape == (0, 2)
    np.testing.assert_array_equal(irr.edge_softmax(jnp.ones(2), np.zeros(2, int), 0), 0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((jnp.ones(3), jnp.ones(3), 2), {}, "integers receivers .* float"),
        ((jnp.ones(3), jnp.array([0, 1]), 2), {}, r"got \(3,\) and int.*\(2,\)"),
        ((jnp.ones(3), jnp.array([0, 1, 1]), 2), {"weights": jnp.ones(2)}, r"weights of shape \(3,\), got \(2,\)"),
        ((jnp.ones(3), jnp.array([0, 1, 1]), 2), {"mask": jnp.ones(2, bool)}, r"mask of shape \(3,\), got \(2,\)"),
        ((jnp.ones(3), jnp.array([0, 1, 1]), -1), {}, "num_nodes of 0 or more, got -1"),
    ],
)
def test_errors_name_the_expected_and_the_received_argument(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        irr.edge_softmax(*arguments, **options)
