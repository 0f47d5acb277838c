"""The layer `TensorProduct`: its parameters, external weights, and the signs of another convention."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

INSTRUCTIONS = [
    (0, 0, 0, "uvu", True),
    (0, 0, 0, "uuu", True),
    (0, 0, 0, "uvu", True, 0.5),
    (0, 0, 1, "uvw", True),
    (0, 0, 2, "uuu", False),
]
LAYER = irr.TensorProduct("2x1o", "2x2e", "2x1o + 3x2o + 2x3o", INSTRUCTIONS, out_var=[2, 1, 3])


def random(irreps: str, *shape: int) -> ic.IrrepsArray:
    dim = ic.Irreps(irreps).dim
    return ic.IrrepsArray(irreps, np.random.default_rng(dim).normal(size=(*shape, dim)))


X, Y = random("2x1o", 4), random("2x2e")
WEIGHTS = np.random.default_rng(0).normal(size=(4, LAYER.product().num_weights))


def test_every_instruction_with_weights_has_a_parameter_of_its_own() -> None:
    specs = irr.bindings.parameter_specs(LAYER, X, Y)
    assert list(specs) == [
        "w[0,0,0] 2x1o,2x2e,2x1o uvu 0",
        "w[0,0,0] 2x1o,2x2e,2x1o uuu",
        "w[0,0,0] 2x1o,2x2e,2x1o uvu 1",
        "w[0,0,1] 2x1o,2x2e,3x2o",
    ]
    assert [spec.shape for spec in specs.values()] == [(2, 2), (2,), (2, 2), (2, 2, 3)]
    params = {name: np.random.default_rng(1).normal(size=spec.shape) for name, spec in specs.items()}
    found, expected = jax.jit(
        lambda p: (irr.apply(LAYER, p, X, Y), LAYER.product()([p[name] for name in specs], X, Y))
    )(params)
    np.testing.assert_array_equal(found.array, expected.array)


def test_external_weights_may_differ_between_elements_of_the_batch() -> None:
    """One array, with the weights of each element or of all."""
    product = LAYER.product()
    found = np.asarray(jax.jit(lambda w, x: irr.apply(LAYER, {}, w, x, Y).array)(WEIGHTS, X))

    @jax.jit
    def one(w: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        data = ic.IrrepsArray(X.irreps, x)
        return product(w, data, Y).array, irr.apply(LAYER, {}, w, data, Y).array

    for n in range(4):
        expected, shared = one(WEIGHTS[n], X.array[n])
        np.testing.assert_allclose(found[n], expected, atol=1e-13)
        np.testing.assert_allclose(shared, expected, atol=1e-13)
    with pytest.raises(ValueError, match=r"weights of shape \(\.\.\., 22\), got \(4, 21\)"):
        irr.apply(LAYER, {}, WEIGHTS[:, 1:], X, Y)
    with pytest.raises(ValueError, match=r"takes \(x, y\) or \(weights, x, y\), got 1 inputs"):
        irr.apply(LAYER, {}, X)


def test_equal_arguments_make_equal_layers() -> None:
    """Also where they are sequences of other types."""
    same = irr.TensorProduct(
        "2x1o", "2x2e", "2x1o + 3x2o + 2x3o", [list(i) for i in INSTRUCTIONS], out_var=np.array([2, 1, 3])
    )
    assert same == LAYER
    assert hash(same) == hash(LAYER)
    assert isinstance(same, irr.bindings.Layer)
    with pytest.raises(ValueError, match="3o is not in 1o x 1o"):
        irr.TensorProduct("1o", "1o", "3o", [(0, 0, 0, "uuu", False)])


@pytest.mark.parametrize("normalization", ["element", 0.5, "path"])
def test_the_convention_gives_each_path_its_sign(normalization: Any) -> None:
    args = ("1o", "2e", "1o + 2o", [(0, 0, 0, "uvw", True), (0, 0, 1, "uvw", True)])
    ours, old = (
        irr.FunctionalTensorProduct(*args, gradient_normalization=normalization, convention=c)
        for c in ("e3nn", "e3nn-0.4")
    )
    signs = [ic.clebsch_gordan_sign("e3nn-0.4", 1, 2, l) for l in (1, 2)]
    assert signs == [1, -1]
    for one, other, sign in zip(ours.couplings, old.couplings, signs, strict=True):
        assert other.path_weight == sign * one.path_weight
        assert other.weight_std == one.weight_std > 0
    x, y = random("1o"), random("2e")
    one, other = jax.jit(lambda w: [f(w, x, y).array for f in (ours, old)])(np.ones(2))
    np.testing.assert_allclose(other, one * np.repeat(signs, [3, 5]), atol=1e-15)
    with pytest.raises(ValueError, match=r"unknown convention 'e3nn-0\.3'"):
        irr.FunctionalTensorProduct(*args, convention="e3nn-0.3")


def test_both_kinds_of_call_give_the_same_derivatives() -> None:
    names = LAYER.parameter_names()

    def by_parameters(weights: jax.Array, x: jax.Array) -> jax.Array:
        params = dict(zip(names, LAYER.product().split_weights(weights), strict=True))
        return jnp.sum(irr.apply(LAYER, params, ic.IrrepsArray("2x1o", x), Y).array ** 3)

    def given(weights: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(irr.apply(LAYER, {}, weights, ic.IrrepsArray("2x1o", x), Y).array ** 3)

    one, other = (jax.jit(jax.grad(f, (0, 1)))(WEIGHTS[0], X.array) for f in (by_parameters, given))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
