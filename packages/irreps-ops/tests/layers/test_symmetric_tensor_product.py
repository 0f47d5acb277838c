"""The layer `SymmetricTensorProduct`: names, channels and irreps. Its numbers are those of the contraction.

The conformance kit tests its symmetry and derivatives.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
X = ic.IrrepsArray("0e + 1o", np.random.default_rng(0).normal(size=(2, 3, 5, 4)))
apply = jax.jit(irr.apply, static_argnums=0)


def test_the_square_of_a_vector_is_its_squared_length():
    layer = irr.SymmetricTensorProduct((2,), {"0e"})
    x = ic.IrrepsArray("1o", X.array[..., 1:])
    y = apply(layer, {"w2_0e": np.full((1, 5), 3**0.5)}, x)
    np.testing.assert_allclose(np.asarray(y.array)[..., 0], np.sum(x.array**2, axis=-1), atol=1e-13)


def test_each_channel_has_its_weights():
    layer = irr.SymmetricTensorProduct((1, 2), "0e + 1o")
    rng = np.random.default_rng(1)
    params = {name: rng.normal(size=spec.shape) for name, spec in irr.bindings.parameter_specs(layer, X).items()}
    assert all(w.shape[-1] == 5 for w in params.values())
    y = np.asarray(apply(layer, params, X).array)
    for c in (0, 4):
        own = {name: w[:, c : c + 1] for name, w in params.items()}
        alone = apply(layer, own, ic.IrrepsArray(X.irreps, X.array[:, :, c : c + 1]))
        np.testing.assert_allclose(np.asarray(alone.array)[:, :, 0], y[:, :, c], atol=1e-13)


def test_initial_weights_have_variance_one():
    spec = irr.bindings.parameter_specs(irr.SymmetricTensorProduct((2,), "0e"), X)["w2_0e"]
    np.testing.assert_allclose(np.var(spec.initializer(KEY, (10_000,), jnp.float64)), 1, atol=0.06)


@pytest.mark.parametrize("keep", ["0e + 1o + 7e", {"0e", "1o"}, frozenset({ic.Irrep("1o"), ic.Irrep("0e")}), None])
def test_the_output_has_the_irreps_to_keep(keep):
    layer = irr.SymmetricTensorProduct([1, 2], keep)
    y = jax.eval_shape(lambda key: irr.apply(layer, irr.init(layer, key, X), X), KEY)
    assert y.irreps == ("0e + 1o + 2e" if keep is None else "0e + 1o")
    assert hash(layer) == hash(irr.SymmetricTensorProduct((1, 2), keep))


def test_get_parameter_replaces_the_scope():
    asked = {}

    def get_parameter(name, shape, dtype):
        asked[name] = shape
        return jnp.ones(shape, dtype)

    layer = irr.SymmetricTensorProduct((1, 2), "0e", get_parameter)
    assert irr.bindings.parameter_specs(layer, X) == {}
    ones = {name: np.ones(shape) for name, shape in asked.items()}
    assert list(ones) == ["w2_0e", "w1_0e"]  # the order of e3nn-jax: a key of Haiku makes the same parameters
    np.testing.assert_array_equal(
        apply(layer, {}, X).array, apply(irr.SymmetricTensorProduct((1, 2), "0e"), ones, X).array
    )


def test_errors_name_the_argument_and_its_value():
    with pytest.raises(ValueError, match="orders must be different positive integers"):
        irr.SymmetricTensorProduct((1, 1))
    with pytest.raises(ValueError, match=r"x must have shape \(..., channels, 4\), got \(4,\)"):
        irr.bindings.parameter_specs(irr.SymmetricTensorProduct((1,)), ic.ones("0e + 1o"))
    with pytest.raises(ValueError, match="7e cannot be made of"):
        irr.bindings.parameter_specs(irr.SymmetricTensorProduct((1,), "7e"), X)
