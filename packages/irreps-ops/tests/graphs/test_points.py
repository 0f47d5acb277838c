"""Convolution and attention on points: against messages made one by one, symmetry, padding, extreme logits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64
SRC, DST = np.array([0, 1, 2, 3, 0, 2]), np.array([1, 0, 1, 0, 2, 9])  # the last edge is padding, node 3 has none
POSITIONS = ic.normal("1o", jax.random.key(0), (4,), dtype=F)
X = ic.normal("2x0e + 2x1o", jax.random.key(1), (4,), dtype=F)
CONVOLUTION = irr.PointConvolution(
    "0e + 2x1o", 4.0, avg_num_neighbors=1.5, sh_lmax=2, num_radial_basis=3, list_neurons=(4,)
)
TRANSFORMER = irr.Transformer("2x0e + 2x1o", [4], jax.nn.silu, 2)
KEY = jax.random.key(2)


def convolve(params, positions, x):
    return irr.apply(CONVOLUTION, params, positions, x, SRC, DST)


def attend(params, positions, x):
    vectors = positions[np.clip(DST, 0, 3)] - positions[SRC]
    r = ic.norm(vectors).array[:, 0]
    attributes = ic.concatenate([irr.radial_basis(r, 4.0, 3), irr.spherical_harmonics([1], vectors, True)])
    return irr.apply(TRANSFORMER, params, SRC, DST, irr.soft_envelope(r, 8.0), attributes, x)


EXAMPLES = {"convolution": (convolve, CONVOLUTION, "1o"), "attention": (attend, TRANSFORMER, "3x0e + 1o")}


@functools.cache
def parameters(name):
    _, layer, irreps = EXAMPLES[name]
    example = layer.example(irreps, X.irreps, dtype=F)
    return jax.jit(lambda key: irr.init(layer, key, *example))(KEY)


@functools.cache
def jitted(name):
    return jax.jit(EXAMPLES[name][0])


def test_convolution_is_the_sum_of_its_messages():
    params = parameters("convolution")
    x = irr.apply(irr.Linear(X.irreps), params["linear_up"], X)
    real = DST < 4
    vectors = POSITIONS[SRC[real]] - POSITIONS[DST[real]]
    Y = irr.spherical_harmonics([1, 2], vectors, True)
    product = irr.tensor_product(x[SRC[real]], Y, filter_ir_out="0e + 1o")
    message = ic.concatenate([x[SRC[real]], product]).regroup()
    params_mlp = params["multi_layer_perceptron"]
    mlp = irr.MultiLayerPerceptron((4, message.irreps.num_irreps), jax.nn.gelu, output_activation=False)
    weights = irr.apply(mlp, params_mlp, irr.radial_basis(ic.norm(vectors).array[:, 0], 4.0, 3))
    message = message * ic.IrrepsArray([(message.irreps.num_irreps, "0e")], weights)
    summed = irr.scatter_sum(message, dst=DST[real], output_size=4) / 1.5**0.5
    expected = irr.apply(irr.Linear("0e + 2x1o"), params["linear_down"], summed)
    found = jitted("convolution")(params, POSITIONS, X)
    np.testing.assert_allclose(found.array, expected.array, atol=1e-12)
    np.testing.assert_array_equal(found.array[3], 0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_is_equivariant(name):
    f = functools.partial(jitted(name), parameters(name))
    assert_equivariant(f, 0, POSITIONS, X, positions=0, draws=1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_derivatives_are_finite_for_points_that_coincide_and_nodes_without_edges(name):
    same = ic.IrrepsArray("1o", jnp.zeros((4, 3), F))

    def total(positions):
        return jnp.sum(jitted(name)(parameters(name), ic.IrrepsArray("1o", positions), X).array ** 2)

    for positions in (POSITIONS, same):
        gradient, curvature = jax.jvp(jax.grad(total), (positions.array,), (jnp.ones((4, 3)),))
        assert np.isfinite(gradient).all()
        assert np.isfinite(curvature).all()
    # Moving all points together changes nothing.
    np.testing.assert_allclose(jax.grad(total)(POSITIONS.array).sum(0), 0, atol=1e-10)


def test_points_without_edges_have_the_same_parameters_and_irreps():
    none = np.zeros(0, int)
    inputs = POSITIONS, X, none, none
    found = irr.apply(CONVOLUTION, parameters("convolution"), *inputs)
    assert found.irreps == "0e + 2x1o"
    np.testing.assert_array_equal(found.array, 0)
    specs = irr.bindings.parameter_specs(CONVOLUTION, *inputs)
    assert jax.tree.map(lambda s: s.shape, specs) == jax.tree.map(lambda p: p.shape, parameters("convolution"))


def test_softmax_of_each_node():
    logits = np.random.default_rng(0).normal(size=(6, 2))
    w = np.array([0.5, 1.0, 0.0, 2.0, 1.0, 1.0])
    found = irr.edge_softmax(jnp.array(logits), DST, 4, weights=jnp.array(w))
    for n in range(4):
        terms = (w[:, None] * np.exp(logits))[n == DST]
        np.testing.assert_allclose(found[n == DST], terms / terms.sum(0), atol=1e-15)
    np.testing.assert_array_equal(found[5], 0)


def test_softmax_makes_no_infinities():
    """Edges of weight zero, and nodes without edges, are no mistakes where JAX looks for infinities."""
    with jax.debug_infs(True):
        found = irr.edge_softmax(
            jnp.array([1.0, 2.0, 3.0]), jnp.array([0, 0, 1]), 3, weights=jnp.array([0.0, 1.0, 0.0])
        )
    np.testing.assert_allclose(found, [0, 1, 0])


def test_softmax_at_any_size_of_logits_and_weights():
    logits = jnp.array([1e4, 1e4, -1e4, -1e4, 0.0, jnp.nan], jnp.float32)
    receivers = jnp.array([0, 0, 1, 1, 2, 2])
    weights = jnp.array([1.0, 3.0, 1e-37, 1e-37, 0.0, 1.0], jnp.float32)
    mask = jnp.array([True] * 5 + [False])
    f = lambda l, w: irr.edge_softmax(l, receivers, 4, weights=w, mask=mask)  # noqa: E731
    np.testing.assert_allclose(f(logits, weights), [0.25, 0.75, 0.5, 0.5, 0, 0], atol=1e-6)
    derivatives = jax.jacobian(f, (0, 1))(logits, weights)
    assert all(np.isfinite(d).all() for d in derivatives)


def test_derivative_by_a_weight_of_zero():
    f = lambda w: irr.edge_softmax(jnp.array([1.0, 2.0]), jnp.array([0, 0]), 1, weights=w)  # noqa: E731
    np.testing.assert_allclose(jax.jacobian(f)(jnp.array([0.0, 1.0]))[:, 0], [np.exp(-1), -np.exp(-1)], atol=1e-12)


def test_refuses():
    with pytest.raises(ValueError, match="integers receivers"):
        irr.edge_softmax(jnp.ones(3), jnp.ones(3), 2)
    with pytest.raises(ValueError, match="weights of shape"):
        irr.edge_softmax(jnp.ones(3), jnp.array([0, 1, 1]), 2, weights=jnp.ones(2))
    layer = irr.Transformer("0e", [4], jax.nn.silu, 2)
    with pytest.raises(ValueError, match="divisible by num_heads=2"):
        irr.bindings.parameter_specs(layer, *layer.example("3x0e + 1o", "0e"))
    with pytest.raises(ValueError, match="positions of irreps 1o or 1e"):
        irr.bindings.parameter_specs(CONVOLUTION, *CONVOLUTION.example("0e", "0e"))
    with pytest.raises(ValueError, match="avg_num_neighbors"):
        irr.PointConvolution("0e", 4.0, avg_num_neighbors=0.0)
