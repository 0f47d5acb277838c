"""The layer `MessagePassingConvolution`: against messages made one by one, symmetry, padding, no neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64
SENDERS, RECEIVERS = np.array([0, 1, 2, 3, 0]), np.array([1, 0, 1, 0, 2])  # node 3 receives nothing
EDGES = irr.EdgeIndex.from_edges(SENDERS, RECEIVERS, 4)
X = ic.normal("2x0e + 2x1o", jax.random.key(0), (4,), dtype=F)
VECTORS = ic.normal("1o", jax.random.key(1), (5,), dtype=F)
RADIAL = jnp.linspace(0.1, 0.9, 15, dtype=F).reshape(5, 3)
LAYER = irr.MessagePassingConvolution("0e + 2x1o + 1e", [4], jax.nn.silu, avg_num_neighbors=1.5)


def harmonics(vectors):
    return irr.spherical_harmonics([0, 1, 2], vectors, normalize=True)


Y = harmonics(VECTORS)
PARAMS = irr.init(LAYER, jax.random.key(2), X, Y, RADIAL, EDGES)


@jax.jit
def convolve(params, x, vectors, radial=RADIAL):
    return irr.apply(LAYER, params, x, harmonics(vectors), radial, EDGES)


def test_is_the_sum_of_its_messages():
    x = irr.apply(irr.Linear(X.irreps), PARAMS["linear_up"], X)
    messages = irr.tensor_product(x[SENDERS], Y, filter_ir_out="0e + 1o + 1e")
    network = irr.MultiLayerPerceptron((4, messages.irreps.num_irreps), jax.nn.silu, output_activation=False)
    weights = irr.apply(network, PARAMS["multi_layer_perceptron"], RADIAL)
    messages = messages * ic.IrrepsArray([(messages.irreps.num_irreps, "0e")], weights)
    summed = irr.scatter_sum(messages, dst=RECEIVERS, output_size=4) / 1.5**0.5
    expected = irr.apply(irr.Linear("0e + 2x1o + 1e"), PARAMS["linear_down"], summed)
    found = convolve(PARAMS, X, VECTORS)
    assert found.irreps == expected.irreps == "0e + 2x1o + 1e"
    np.testing.assert_allclose(found.array, expected.array, atol=1e-12)
    np.testing.assert_array_equal(found.array[3], 0)


def test_is_equivariant():
    assert_equivariant(lambda x, v: convolve(PARAMS, x, v), 0, X, VECTORS, draws=1)


def test_padding_counts_for_nothing():
    """Edges from or to what is no node, whatever their data; as a pair of arrays and as an index."""
    far = [(0, 4), ([7, -1, 2], [0, 1, 9])]
    senders, receivers = (np.concatenate([a, b]) for a, b in zip((SENDERS, RECEIVERS), far[1], strict=True))
    nan = jnp.full((3, 9), jnp.nan, F)
    padded = ic.IrrepsArray(Y.irreps, jnp.concatenate([Y.array, nan]))
    radial = jnp.concatenate([RADIAL, jnp.ones((3, 3), F)])
    found = irr.apply(LAYER, PARAMS, X, padded, radial, (senders, receivers))
    np.testing.assert_allclose(found.array, convolve(PARAMS, X, VECTORS).array, atol=1e-12)


def test_graphs_without_edges_and_without_nodes_have_the_same_parameters():
    for nodes in (4, 0):
        inputs = X[:nodes], Y[:0], RADIAL[:0], (SENDERS[:0], RECEIVERS[:0])
        shapes = irr.bindings.parameter_specs(LAYER, *inputs)
        assert {k: sorted(v) for k, v in shapes.items()} == {k: sorted(v) for k, v in PARAMS.items()}
        found = irr.apply(LAYER, PARAMS, *inputs)
        assert found.irreps == "0e + 2x1o + 1e"
        np.testing.assert_array_equal(found.array, np.zeros((nodes, 10)))


def test_what_no_message_can_have_is_dropped():
    layer = irr.MessagePassingConvolution("0o + 4e", [4], jax.nn.silu, avg_num_neighbors=1.5)
    params = irr.init(layer, jax.random.key(0), X.filter("0e"), Y, RADIAL, EDGES)
    assert sorted(params) == ["linear_up"]
    assert irr.apply(layer, params, X.filter("0e"), Y, RADIAL, EDGES).shape == (4, 0)


def test_shapes_follow_from_irreps():
    x, harmonics, radial, (senders, receivers) = LAYER.example("2x0e + 2x1o", "0e + 1o + 2e", 3)
    assert [a.shape for a in (x, harmonics, radial, senders, receivers)] == [(1, 8), (1, 9), (1, 3), (1,), (1,)]
    specs = irr.bindings.parameter_specs(LAYER, *LAYER.example("2x0e + 2x1o", "0e + 1o + 2e", 3))
    assert jax.tree.map(
        lambda s: s.shape, specs, is_leaf=lambda s: isinstance(s, irr.bindings.ParameterSpec)
    ) == jax.tree.map(jnp.shape, PARAMS)


def test_bad_use_is_named():
    with pytest.raises(ValueError, match="avg_num_neighbors, got 0"):
        irr.MessagePassingConvolution("0e", [4], None, avg_num_neighbors=0)
    with pytest.raises(ValueError, match=r"got \(4, 8\), \(5, 9\) and \(4, 3\)"):
        irr.apply(LAYER, PARAMS, X, Y, RADIAL[:4], EDGES)
    with pytest.raises(ValueError, match=r"radial features that are scalars \(0e\), got 1x1o"):
        irr.apply(LAYER, PARAMS, X, Y, VECTORS, EDGES)
