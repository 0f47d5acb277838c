"""The equivariant layer normalization: its definition, written out; symmetry; zeros; parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

IRREPS = ic.Irreps("4x0e + 3x0o + 2x1o + 0x2e + 1x2e + 2x0e")
SCALE, BIAS = np.linspace(0.5, 2, IRREPS.num_irreps), np.linspace(-1, 1, 6)


def data(shape=(5,), seed=0, dtype=None):
    x = 3 + 2 * np.random.default_rng(seed).normal(size=(*shape, IRREPS.dim))
    return ic.IrrepsArray(IRREPS, np.asarray(x, dtype))


def by_loop(x, normalization, eps):
    """One row, item by item, with its definition."""
    pieces, scales, biases = [], list(SCALE), list(BIAS)
    for (mul, ir), place in zip(IRREPS, IRREPS.slices(), strict=True):
        chunk = x[place].reshape(mul, ir.dim)
        if ir == "0e":
            chunk = chunk - chunk.mean()
        size = np.mean([np.sum(v**2) / (ir.dim if normalization == "component" else 1) for v in chunk]) if mul else 1
        for v in chunk:
            v = scales.pop(0) * v / np.sqrt(size + eps)
            pieces.append(v + biases.pop(0) if ir == "0e" else v)
    assert not scales
    assert not biases
    return np.concatenate(pieces)


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_it_is_its_definition(normalization):
    x = data()
    y = jax.jit(lambda x: irr.layer_norm(x, SCALE, BIAS, eps=1e-2, normalization=normalization))(x)
    assert y.irreps == IRREPS
    np.testing.assert_allclose(y.array, [by_loop(row, normalization, 1e-2) for row in np.asarray(x.array)], rtol=1e-12)


def test_the_sizes_of_the_result_are_one():
    y = jax.tree.map(np.asarray, jax.jit(lambda x: irr.layer_norm(x, eps=1e-30))(data((2, 4))))
    assert y.shape == (2, 4, IRREPS.dim)
    for (mul, ir), place in zip(IRREPS, IRREPS.slices(), strict=True):
        if mul:
            np.testing.assert_allclose(np.mean(np.square(y.array[..., place]), axis=-1), 1, rtol=1e-12)
        if mul and ir == "0e":
            np.testing.assert_allclose(np.mean(y.array[..., place], axis=-1), 0, atol=1e-12)


def test_scalars_get_the_usual_layer_normalization():
    x = np.random.default_rng(0).normal(size=(3, 7))
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(jax.jit(irr.layer_norm)(ic.IrrepsArray("7x0e", x)).array, expected, rtol=1e-12)


def test_zeros_stay_zero_and_have_derivatives():
    x = ic.IrrepsArray("2x0e + 1o", np.zeros((1, 5)), zero_flags=[True, True])
    assert irr.layer_norm(x).zero_flags == (True, True)
    y = irr.layer_norm(x, bias=jnp.array([1.0, 2.0]))
    assert y.zero_flags == (False, True)
    np.testing.assert_array_equal(y.array, [[1, 2, 0, 0, 0]])
    with jax.debug_nans(True):
        derivative = jax.jit(jax.jacrev(lambda a: irr.layer_norm(ic.IrrepsArray("2x0e + 1o", a)).array))(x.array)
    assert np.isfinite(derivative).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": jnp.ones(3)}, r"scale of shape \(12,\), got \(3,\)"),
        ({"bias": jnp.ones(12)}, r"bias of shape \(6,\), got \(12,\)"),
        ({"eps": 0.0}, "positive number eps, got 0.0"),
        ({"normalization": "x"}, "'component' or 'norm', got 'x'"),
    ],
)
def test_errors_name_the_wrong_argument(options, message):
    with pytest.raises(ValueError, match=message):
        irr.layer_norm(data(), **options)
