"""Activations and the gate: parity, normalization, zeros, equivariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import _cost_model
from irreps_ops.pointwise._activation import function_parity

ACTS = [jax.nn.gelu, jax.nn.silu, jax.nn.sigmoid, jnp.tanh, irr.soft_odd, jnp.abs, jnp.sin]
MIRROR = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))
IRREPS = ["15x0e + 2x1e", "4x0e + 0o + 0e + 2x1o + 2x0o + 2e + 3x1e", "0o", "5x0e + 3x0o + 2x1e + 2e", "3x1e + 3x0o"]


@pytest.mark.parametrize("act", ACTS, ids=lambda f: f.__name__)
def test_a_normalized_function_has_mean_square_one(act):
    nodes, weights = np.polynomial.hermite_e.hermegauss(160)
    square = np.asarray(irr.normalize_function(act)(jnp.asarray(nodes))) ** 2
    assert abs(square @ weights / np.sqrt(2 * np.pi) - 1) < (5e-3 if act is jnp.abs else 1e-4)


def test_the_constant_of_a_normalized_function_is_computed_before_tracing():
    jaxpr = jax.make_jaxpr(lambda x: irr.normalize_function(jax.nn.tanh)(x))(1.0)
    assert len(jaxpr.eqns) == 2


def test_a_normalized_function_is_not_normalized_again():
    normalized = irr.normalize_function(jax.nn.tanh)
    assert irr.normalize_function(normalized) is normalized


def test_functions_without_a_constant_are_refused():
    with pytest.raises(ValueError, match="root mean square"):
        irr.normalize_function(lambda x: 0 * x)
    with pytest.raises(ValueError, match="tracing"):
        jax.jit(lambda a: irr.normalize_function(lambda x: a * x)(a))(2.0)


def test_functions_of_odd_scalars_decide_on_the_parity():
    assert [function_parity(f) for f in (jnp.abs, jnp.cos, irr.soft_odd, jax.nn.relu)] == [1, 1, -1, 0]
    assert irr.scalar_activation("2x0e + 3x0o + 1o", [jnp.exp, jnp.cos, None]) == "2x0e + 3x0e + 1o"
    assert irr.scalar_activation("2x0e + 3x0o + 1o", [None, jnp.sin, None]) == "2x0e + 3x0o + 1o"


def test_scalars_and_gates_are_their_definition():
    x = ic.IrrepsArray("2x0e + 0o + 1o", np.array([[1.0, -2.0, 3.0, 4.0, 5.0, 6.0]]))

    @jax.jit
    def evaluate(x):
        activated = irr.scalar_activation(x, normalize_act=False), irr.gate(x, normalize_act=False)
        return *activated, jax.nn.gelu(x.array[:, :2]), irr.soft_odd(x.array[:, 2:3])

    activated, gated, even, odd = evaluate(x)
    np.testing.assert_array_equal(activated.array, np.concatenate([even, odd, x.array[:, 3:]], -1))
    assert gated.irreps == "2x0e + 1e"
    np.testing.assert_allclose(gated.array, np.concatenate([even, np.tanh(3.0) * x.array[:, 3:]], -1), rtol=1e-12)


@pytest.fixture(scope="module")
def activated():
    """For each of IRREPS and each function its results for data and the mirrored data, compiled once."""
    functions = {
        "gate": irr.gate,
        "scalar_activation": irr.scalar_activation,
        "norm_activation": lambda x: irr.norm_activation(x, [jnp.tanh] * len(x.irreps)),
    }
    inputs = {}
    for irreps in map(ic.Irreps, IRREPS):
        x = ic.IrrepsArray(irreps, np.random.default_rng(irreps.dim).normal(size=(2, irreps.dim)))
        inputs[str(irreps)] = ic.stack([x, x.transform_by_matrix(MIRROR)])

    @jax.jit
    def evaluate(inputs):
        return {name: {irreps: f(x) for irreps, x in inputs.items()} for name, f in functions.items()}

    return jax.tree.map(np.asarray, evaluate(inputs))


@pytest.mark.parametrize("irreps", IRREPS)
@pytest.mark.parametrize("name", ["gate", "scalar_activation", "norm_activation"])
def test_activations_are_equivariant(activated, name, irreps):
    y = activated[name][str(ic.Irreps(irreps))]
    np.testing.assert_allclose(y.array[1], y[0].transform_by_matrix(MIRROR).array, rtol=0, atol=1e-12)


@pytest.mark.parametrize("irreps", IRREPS)
@pytest.mark.parametrize("name", ["gate", "scalar_activation"])
def test_irreps_without_data_are_those_of_the_result(activated, name, irreps):
    assert getattr(irr, name)(irreps) == activated[name][str(ic.Irreps(irreps))].irreps


def test_zeros_stay_known_to_be_zero_where_the_function_vanishes():
    x = ic.IrrepsArray("0e + 0e + 0o", jnp.array([0.0, 1.0, 0.0]), zero_flags=[True, False, True])
    assert irr.scalar_activation(x, [jnp.tanh, None, jnp.cos]).zero_flags == (True, False, False)
    y = irr.scalar_activation(x, [jnp.cos, None, jnp.cos], normalize_act=False)
    np.testing.assert_array_equal(y.array, [1, 1, 1])


def test_norm_activation_at_zero_is_zero_with_the_derivative_of_the_function_at_zero():
    def f(a):
        return irr.norm_activation(ic.IrrepsArray("0e + 1o", a), [jnp.cos, jnp.cos]).array

    with jax.debug_nans(True):
        value, derivative = jax.jit(lambda a: (f(a), jax.jacrev(f)(a)))(np.zeros(4))
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_allclose(derivative, np.eye(4))


def test_second_derivatives_of_tiny_norms_are_finite():
    """Second derivatives of x cos(|x|) where powers of |x|² are no numbers of float32 any more."""

    def f(a):
        return irr.norm_activation(ic.IrrepsArray("1o", a), [jnp.cos], normalization="norm").array[0]

    sizes = np.array([1e-30, 1e-15, 1e-3])
    a = np.asarray(sizes[:, None] * [3.0, 0.0, 4.0], np.float32)
    found = jax.jit(jax.vmap(jax.hessian(f)))(a)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1:, 0, 0], -3 * 3 * sizes[1:], rtol=1e-4)


def test_a_large_batch_is_processed_in_tiles(monkeypatch):
    """With the same results as at once, also for gradients with respect to parameters of the activation functions."""
    irreps, batch = ic.Irreps("2x0e + 2x1o"), 25
    x = np.random.default_rng(0).normal(size=(batch, irreps.dim))
    parameters = np.array([0.7, 0.2])

    def total(p, x):
        act = lambda y: jnp.tanh(p[0] * y)  # noqa: E731  (as above)
        data = ic.IrrepsArray(irreps, x)
        gated = irr.gate(data, even_gate_act=act, normalize_act=False)
        of_norms = irr.norm_activation(data, [None, act])
        normed = irr.layer_norm(data, scale=p[1] * jnp.arange(4.0), bias=p[0] * jnp.arange(2.0))
        return sum(jnp.sum(jnp.sin(y.array)) for y in (gated, of_norms, normed))

    def at_once_and_in_tiles(p, x):
        found = [jax.value_and_grad(total, (0, 1))(p, x)]
        monkeypatch.setattr(_cost_model, "TILE_BYTES", 256)
        assert str(jax.make_jaxpr(total)(p, x)).count("irreps_tiled_sum") == 3
        return found, [jax.value_and_grad(total, (0, 1))(p, x)]

    found, expected = jax.jit(at_once_and_in_tiles)(parameters, x)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_the_gate_of_a_large_batch_keeps_known_zeros(monkeypatch):
    monkeypatch.setattr(_cost_model, "TILE_BYTES", 64)
    x = ic.IrrepsArray("2x0e + 1o", np.zeros((30, 5)), zero_flags=[False, True])
    flags = []
    jax.eval_shape(lambda: flags.append(irr.gate(x).zero_flags))
    assert flags == [(False, True)]


def test_soft_normalization_stays_below_its_limit():
    sizes = np.array([1e-3, 0.1, 1.0, 10.0, 1e3, 1e6])
    x = ic.IrrepsArray("1o", 2 * sizes[:, None] * np.array([[0.0, 3**0.5, 0.0]]))
    y = np.asarray(jax.jit(lambda x: irr.soft_normalization(x, 2.0).array)(x))[:, 1] / 3**0.5 / 2
    assert (np.diff(y) > 0).all()
    assert (y <= 1).all()
    np.testing.assert_allclose(y, sizes / (1 + sizes * np.exp(-1 / sizes)), rtol=1e-12)


def test_key_value_activation_is_its_definition():
    key, value = ic.IrrepsArray("0e + 1o", np.arange(1.0, 5.0)), ic.IrrepsArray("0e + 1o", np.arange(4.0, 0.0, -1.0))
    tanh = irr.normalize_function(jnp.tanh)
    k = key.array / np.sqrt(1 / 16 + 30)
    y, activated = jax.jit(lambda *args: (irr.key_value_activation(tanh, *args[:2]), tanh(args[2])))(
        key, value, k @ value.array
    )
    np.testing.assert_allclose(y.array, 2 * activated * k, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize(
    "function", [irr.gate, irr.scalar_activation, irr.layer_norm, lambda x: irr.soft_normalization(x, 2.0)]
)
def test_leading_axes_and_dtype_are_kept(function, shape):
    irreps = ic.Irreps("3x0e + 2x0o + 1o + 2e")
    y = jax.eval_shape(function, ic.IrrepsArray(irreps, np.ones((*shape, irreps.dim), np.float32)))
    assert y.shape == (*shape, y.irreps.dim)
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.scalar_activation("0e + 1o", [jnp.tanh, jnp.tanh]), "1x1o .* only scalars"),
        (lambda: irr.scalar_activation("0o", [jax.nn.relu]), "neither even nor odd"),
        (lambda: irr.scalar_activation("0e + 0o", [jnp.tanh]), "2 functions"),
        (lambda: irr.gate("0e + 2x1o"), "put 1 more scalars"),
        (lambda: irr.gate("0o + 1o", odd_gate_act=jax.nn.sigmoid), "neither even nor odd"),
        (lambda: irr.norm_activation(ic.zeros("0e", ()), [None], normalization="x"), "'x'"),
        (lambda: irr.norm_activation(ic.zeros("0e", ()), []), "1 functions"),
        (lambda: irr.soft_normalization(ic.zeros("0e", ()), 0.0), "positive number max_component, got 0.0"),
        (lambda: irr.key_value_activation(jnp.abs, jnp.ones(2), jnp.ones(3)), r"\(2,\) and \(3,\)"),
        (lambda: irr.key_value_activation(jnp.abs, ic.zeros("3x0e", ()), ic.zeros("1o", ())), "3x0e and 1x1o"),
    ],
)
def test_errors_name_the_wrong_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("irreps", IRREPS)
def test_values_are_those_of_e3nn_jax(irreps):
    e3nn = pytest.importorskip("e3nn_jax")
    x = e3nn.normal(irreps, jax.random.key(0), (5,))
    theirs = e3nn.gate(x)
    ours = irr.gate(ic.IrrepsArray(irreps, x.array))
    assert str(ours.irreps) == str(theirs.irreps)
    np.testing.assert_allclose(ours.array, theirs.array, atol=1e-12)
    for act in ACTS:
        points = jnp.linspace(-3, 3, 9)
        expected = e3nn.normalize_function(act)(points)
        np.testing.assert_allclose(irr.normalize_function(act)(points), expected, rtol=1e-13, atol=1e-14)
    acts = [jnp.tanh, None] * len(x.irreps)
    for name, options in (("norm_activation", (acts[: len(x.irreps)],)), ("soft_normalization", (0.7,))):
        theirs = getattr(e3nn, name)(x, *options)
        np.testing.assert_allclose(
            getattr(irr, name)(ic.IrrepsArray(irreps, x.array), *options).array, theirs.array, atol=1e-13
        )
