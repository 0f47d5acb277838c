"""The layer `MessagePassingConvolution` against the sum of its messages; padding; graphs without edges.

The conformance kit tests its symmetry and derivatives.
"""

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

SENDERS, RECEIVERS = np.array([0, 1, 2, 3, 0]), np.array([1, 0, 1, 0, 2])  # node 3 receives nothing
EDGES = irr.EdgeIndex.from_edges(SENDERS, RECEIVERS, 4)
RNG = np.random.default_rng(0)
X = ic.IrrepsArray("2x0e + 2x1o", RNG.normal(size=(4, 8)))
Y = ic.IrrepsArray("0e + 1o + 2e", RNG.normal(size=(5, 9)))
RADIAL = np.linspace(0.1, 0.9, 15).reshape(5, 3)
LAYER = irr.MessagePassingConvolution("0e + 2x1o + 1e", [4], jax.nn.silu, avg_num_neighbors=1.5)


SPECS = irr.bindings.parameter_specs(LAYER, X, Y, RADIAL, EDGES)
PARAMS = jax.tree.map(lambda spec: RNG.normal(size=spec.shape), SPECS)


@jax.jit
def convolve(x, harmonics, radial, edges):
    return irr.apply(LAYER, PARAMS, x, harmonics, radial, edges)


@jax.jit
def definition():
    """The messages one by one, then their sum."""
    x = irr.apply(irr.Linear(X.irreps), PARAMS["linear_up"], X)
    messages = irr.tensor_product(x[SENDERS], Y, filter_ir_out="0e + 1o + 1e")
    network = irr.MultiLayerPerceptron((4, messages.irreps.num_irreps), jax.nn.silu, output_activation=False)
    weights = irr.apply(network, PARAMS["multi_layer_perceptron"], RADIAL)
    messages = messages * ic.IrrepsArray([(messages.irreps.num_irreps, "0e")], weights)
    summed = irr.scatter_sum(messages, dst=RECEIVERS, output_size=4) / 1.5**0.5
    return irr.apply(irr.Linear("0e + 2x1o + 1e"), PARAMS["linear_down"], summed)


def test_the_output_is_the_sum_of_the_messages():
    found, expected = convolve(X, Y, RADIAL, EDGES), definition()
    assert found.irreps == expected.irreps == "0e + 2x1o + 1e"
    np.testing.assert_allclose(found.array, expected.array, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(found.array)[3], 0)


def test_padding_contributes_nothing():
    """Edges whose sender or receiver is out of range, with any data; here as a pair of arrays."""
    senders, receivers = np.append(SENDERS, [7, -1, 2]), np.append(RECEIVERS, [0, 1, 9])
    padded = ic.IrrepsArray(Y.irreps, np.concatenate([Y.array, np.full((3, 9), np.nan)]))
    radial = np.concatenate([RADIAL, np.ones((3, 3))])
    np.testing.assert_allclose(convolve(X, padded, radial, (senders, receivers)).array, definition().array, atol=1e-12)


def test_graphs_without_edges_and_without_nodes_have_the_same_parameters():
    for nodes in (4, 0):
        x, harmonics = (ic.IrrepsArray(a.irreps, a.array[:n]) for a, n in ((X, nodes), (Y, 0)))
        inputs = x, harmonics, RADIAL[:0], (SENDERS[:0], RECEIVERS[:0])
        shapes = irr.bindings.parameter_specs(LAYER, *inputs)
        assert {k: sorted(v) for k, v in shapes.items()} == {k: sorted(v) for k, v in PARAMS.items()}
        found = convolve(*inputs)
        assert found.irreps == "0e + 2x1o + 1e"
        np.testing.assert_array_equal(found.array, np.zeros((nodes, 10)))


def test_irreps_that_no_message_can_have_are_dropped():
    layer = irr.MessagePassingConvolution("0o + 4e", [4], jax.nn.silu, avg_num_neighbors=1.5)
    inputs = X.filter("0e"), Y, RADIAL, EDGES
    assert sorted(irr.bindings.parameter_specs(layer, *inputs)) == ["linear_up"]
    params = {"linear_up": {"w[0,0] 2x0e,2x0e": np.ones((2, 2))}}
    assert irr.apply(layer, params, *inputs).shape == (4, 0)


def test_the_example_has_the_parameters_of_data():
    x, harmonics, radial, (senders, receivers) = LAYER.example("2x0e + 2x1o", "0e + 1o + 2e", 3)
    assert [a.shape for a in (x, harmonics, radial, senders, receivers)] == [(1, 8), (1, 9), (1, 3), (1,), (1,)]
    specs = irr.bindings.parameter_specs(LAYER, *LAYER.example("2x0e + 2x1o", "0e + 1o + 2e", 3))
    assert jax.tree.map(lambda spec: spec.shape, specs) == jax.tree.map(np.shape, PARAMS)


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match="avg_num_neighbors, got 0"):
        irr.MessagePassingConvolution("0e", [4], None, avg_num_neighbors=0)
    with pytest.raises(ValueError, match=r"got \(4, 8\), \(5, 9\) and \(4, 3\)"):
        irr.apply(LAYER, PARAMS, X, Y, RADIAL[:4], EDGES)
    with pytest.raises(ValueError, match=r"radial features that are scalars \(0e\), got 1x1o"):
        irr.apply(LAYER, PARAMS, X, Y, ic.IrrepsArray("1o", np.ones((5, 3))), EDGES)
