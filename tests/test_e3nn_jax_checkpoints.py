"""Parameters of e3nn-jax's Haiku and Flax modules load into the modules of irreps and give the same numbers."""

from functools import partial

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_flax.linen
import irreps_haiku

e3nn = pytest.importorskip("e3nn_jax")
e3nn_haiku = pytest.importorskip("e3nn_jax.haiku")
e3nn_flax = pytest.importorskip("e3nn_jax.flax")

KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def _ranks_are_promoted():
    """e3nn-jax needs this; other tests cover irreps without it."""
    with jax.numpy_rank_promotion("allow"):
        yield


def data(irreps, *shape):
    return ic.normal(irreps, jax.random.key(7), shape, dtype=jnp.float64)


def theirs(x):
    return e3nn.IrrepsArray(str(x.irreps), x.array) if isinstance(x, ic.IrrepsArray) else x


X = data("2x0e + 1o + 0e", 3, 4)
WEIGHTS = data("5x0e", 3, 4).array
INDICES = jnp.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
LINEAR = [
    ({}, (X,)),
    ({"biases": True, "path_normalization": "path", "gradient_normalization": "element"}, (X,)),
    ({"biases": True, "force_irreps_out": True}, (X,)),
    ({"simplify_irreps_internally": False}, (X,)),
    ({"irreps_in": "0e + 1o + 2x0e"}, (X,)),
    ({"path_normalization": 0.3, "gradient_normalization": 0.4}, (WEIGHTS, X)),
    ({"biases": True}, (WEIGHTS[:, :1], X)),
    ({"num_indexed_weights": 2, "biases": True}, (INDICES, X)),
    ({"channel_out": 6}, (X,)),
    ({"channel_out": 6}, (WEIGHTS[:, 0], X)),
    ({"weights_per_channel": True}, (WEIGHTS[:, 0], X)),
]
SCALARS = data("5x0e", 3)
PERCEPTRON = [
    ({}, (SCALARS,)),
    ({}, (SCALARS.array,)),
    ({"with_bias": True, "gradient_normalization": "element"}, (SCALARS,)),
    ({"gradient_normalization": 0.3, "output_activation": False}, (SCALARS,)),
    ({"output_activation": jnp.tanh}, (SCALARS,)),
]
CASES = [("Linear", {"irreps_out": "4x0e + 2e + 2x1o", **options}, inputs) for options, inputs in LINEAR] + [
    ("MultiLayerPerceptron", {"list_neurons": (7, 3), "act": jax.nn.silu, **options}, inputs)
    for options, inputs in PERCEPTRON
]
STATISTICS = data("3x0e + 2x1o + 0o", 3, 4)
HAIKU_ONLY = (
    [
        ("BatchNorm", options, (STATISTICS,))
        for options in (
            {},
            {"reduce": "max", "normalization": "norm", "momentum": 0.4, "eps": 0.1},
            {"affine": False},
            {"instance": True, "irreps": "3x0e + 2x1o + 0o"},
        )
    ]
    + [
        ("FullyConnectedTensorProduct", {"irreps_out": "2x0e + 2x1o + 2e", **options}, (X, data("0e + 1o", 3, 4)))
        for options in ({}, {"irreps_in1": "2x0e + 1o + 0e", "irreps_in2": "0e + 1o"})
    ]
    + [
        ("SymmetricTensorProduct", {"orders": orders, "keep_irrep_out": keep}, (data("0e + 1o + 2e", 3, 2),))
        for orders, keep in (((1, 2, 3), "0e + 1o"), ((2,), None))
    ]
)
NAMES = [f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)]


def random_like(params):
    """Random values, because initial biases are zero."""
    generator = np.random.default_rng(0)
    return jax.tree.map(lambda p: jnp.asarray(generator.normal(size=p.shape), p.dtype), params)


def assert_same(ours, expected):
    if isinstance(ours, ic.IrrepsArray):
        assert str(ours.irreps) == str(expected.irreps)
        ours, expected = ours.array, expected.array
    assert ours.dtype == jnp.float64
    np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-13)


def shapes(params):
    return jax.tree.map(lambda p: (p.shape, p.dtype), params)


@pytest.mark.parametrize(
    ("name", "options", "inputs"), CASES + HAIKU_ONLY, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES + HAIKU_ONLY)]
)
def test_haiku(name, options, inputs):
    """Outputs and new state, in training and, for BatchNorm, in evaluation."""
    other = hk.transform_with_state(lambda *x, **options_: getattr(e3nn_haiku, name)(**options)(*x, **options_))
    ours = hk.transform_with_state(lambda *x, **options_: getattr(irreps_haiku, name)(**options)(*x, **options_))
    their_inputs = [theirs(x) for x in inputs]
    params, state = jax.jit(other.init)(KEY, *their_inputs)
    made = jax.jit(ours.init)(KEY, *inputs)
    assert jax.tree.map(jnp.shape, made) == jax.tree.map(jnp.shape, (params, state))
    if name in ("Linear", "MultiLayerPerceptron"):  # theirs of the other layers are float32 whatever the data
        assert shapes(made[0]) == shapes(params)
    params = random_like(made[0])
    state = jax.tree.map(lambda a: a + jnp.linspace(0.1, 0.9, a.size), made[1])
    for mode in [{}, {"is_training": False}] if name == "BatchNorm" else [{}]:
        found, new = jax.jit(partial(ours.apply, **mode))(params, state, None, *inputs)
        expected, expected_new = jax.jit(partial(other.apply, **mode))(params, state, None, *their_inputs)
        assert_same(found, expected)
        jax.tree.map(assert_same, new, expected_new)


def test_batch_norm_of_flax():
    """Its parameters and statistics, whose names differ, load as they are."""
    other, ours = e3nn_flax.BatchNorm(momentum=0.3), irreps_flax.linen.BatchNorm(momentum=0.3)
    variables = jax.tree.map(lambda a: a + jnp.linspace(0.1, 0.9, a.size), other.init(KEY, theirs(STATISTICS)))
    rows = data("3x0e + 2x1o + 0o", 5)
    mask = jnp.array([True, True, False, True, False])
    for x, options in ((STATISTICS, {}), (rows, {"mask": mask})):
        found, new = jax.jit(partial(ours.apply, mutable=["batch_stats"]))(variables, x, **options)
        expected, expected_new = jax.jit(partial(other.apply, mutable=["batch_stats"]))(variables, theirs(x), **options)
        assert_same(found, expected)
        jax.tree.map(assert_same, new, expected_new)
    found = ours.apply(variables, STATISTICS, is_training=False)
    # e3nn-jax also writes statistics in evaluation, so they must be mutable.
    expected, _ = other.apply(variables, theirs(STATISTICS), use_running_average=True, mutable=["batch_stats"])
    assert_same(found, expected)


@pytest.mark.parametrize(("name", "options", "inputs"), CASES, ids=NAMES)
def test_flax(name, options, inputs):
    other = getattr(e3nn_flax, name)(**options)
    ours = getattr(irreps_flax.linen, name)(**options)
    their_inputs = [theirs(x) for x in inputs]
    params = jax.eval_shape(other.init, KEY, *their_inputs)
    if name == "Linear":  # the dense layers of a perceptron have the names of Haiku, and are found under both
        assert shapes(jax.eval_shape(ours.init, KEY, *inputs)) == shapes(params)
    params = random_like(params)
    assert_same(jax.jit(ours.apply)(params, *inputs), jax.jit(other.apply)(params, *their_inputs))


@pytest.mark.parametrize("module", [e3nn_haiku, irreps_haiku])
@pytest.mark.parametrize("gradient_normalization", ["element", "path"])
def test_initial_parameters_have_the_same_spread(module, gradient_normalization):
    """The parameters of both packages have the expected standard deviation."""

    def perceptron(x):
        mlp = module.MultiLayerPerceptron((200, 100), jnp.tanh, gradient_normalization=gradient_normalization)
        return mlp(x)

    def linear(x):
        return module.Linear("64x0e + 64x1o", gradient_normalization=gradient_normalization)(x)

    def spread(function, x):
        params = jax.jit(hk.transform(function).init)(KEY, x)
        return sorted((np.asarray(p).shape, float(np.std(p))) for p in jax.tree.leaves(params))

    element = gradient_normalization == "element"
    x = data("128x0e + 32x1o", 1)
    found = spread(perceptron, x.filter("0e").array) + spread(linear, theirs(x) if module is e3nn_haiku else x)
    expected = [128**-0.5, 200**-0.5, 32**-0.5, 128**-0.5] if element else [1, 1, 1, 1]
    np.testing.assert_allclose([std for _, std in found], expected, rtol=0.06)
