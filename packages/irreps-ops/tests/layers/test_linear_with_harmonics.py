"""The layer `LinearSHTP` and the function `shtp`: the sum over orders in a frame equals the sum over degrees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

# Zero, both poles, between the charts, close to a pole, anywhere.
VECTORS = np.array([[0, 0, 0], [0, 2, 0], [0, -3, 0], [1, 0, 2], [1e-9, -1, 1e-9], [0.3, -0.5, 0.7]])
IRREPS_IN, IRREPS_OUT = ic.Irreps("2x1o + 0o"), ic.Irreps("3x1o + 2x1e + 0e + 2o")
X = np.random.default_rng(0).normal(size=IRREPS_IN.dim)
LAYER = irr.LinearSHTP(IRREPS_OUT)
MIXED = irr.bindings.parameter_specs(LAYER, *irr.bindings.example_inputs(IRREPS_IN, "1o", dtype=jnp.float64))


def paths():
    """Name of the parameter, indices of the items, parity of l1 + l + l3, and degrees of the harmonics."""
    for o, (_, ir3) in enumerate(IRREPS_OUT):
        for i, (_, ir1) in enumerate(IRREPS_IN):
            harmonics = [l for l in range(abs(ir1.l - ir3.l), ir1.l + ir3.l + 1) if ir1.p * (-1) ** l == ir3.p]
            for odd in (0, 1):
                degrees = [l for l in harmonics if (ir1.l + l + ir3.l) % 2 == odd]
                if degrees:
                    yield f"{i}_{o}_{'SA'[odd]}{ir1}{ir3}", i, o, odd, degrees


def test_there_are_as_many_weights_as_products():
    found = {name: spec.shape for name, spec in MIXED.items()}
    expected = {name: (len(degrees), IRREPS_IN[i].mul, IRREPS_OUT[o].mul) for name, i, o, _, degrees in paths()}
    assert found == expected


def by_degree_and_order():
    """Random weights for each degree, and the weights of the same map for each order."""
    rng = np.random.default_rng(1)
    degree, order = {}, {}
    for name, i, o, odd, degrees in paths():
        l1, l3 = IRREPS_IN[i].ir.l, IRREPS_OUT[o].ir.l
        m = np.arange(odd, min(l1, l3) + 1)
        degree[name] = rng.normal(size=MIXED[name].shape)
        # The contributions of the components m of x to those of z where the vector is y; there Y_l0 is sqrt(2l+1).
        numbers = [
            (2 * l + 1) ** 0.5 * ic.clebsch_gordan(l1, l, l3)[l1 + (-m if odd else m), l, l3 + m] for l in degrees
        ]
        order[name] = np.einsum("lm,luv->muv", numbers, degree[name])
    return degree, order


def test_it_is_a_linear_map_of_the_product_also_in_its_derivative():
    """Higher derivatives at these vectors are those of the frames, which tests/products checks."""
    degree, order = by_degree_and_order()
    chunks = ic.IrrepsArray(IRREPS_IN, X).chunks
    fan_in = [sum(IRREPS_IN[i].mul for _, i, o, *_ in paths() if o == n) for n in range(len(IRREPS_OUT))]

    def with_derivative(f):
        return jax.jit(jax.vmap(lambda v: (f(v), jax.jacrev(f)(v))))(VECTORS)

    found = with_derivative(
        lambda v: irr.apply(LAYER, order, ic.IrrepsArray(IRREPS_IN, X), ic.IrrepsArray("1o", v)).array
    )
    # The map is linear in the harmonics, so it maps their derivatives to its own.
    for derivative, harmonics in zip(found, with_derivative(lambda v: irr.sh(range(4), v, True)), strict=True):
        y = np.moveaxis(harmonics, 1, -1)
        items = [np.zeros((*y.shape[:-1], mul, ir.dim)) for mul, ir in IRREPS_OUT]
        for name, i, o, _, degrees in paths():
            for w, l in zip(degree[name], degrees, strict=True):
                cg = ic.clebsch_gordan(IRREPS_IN[i].ir.l, l, IRREPS_OUT[o].ir.l)
                z = np.einsum("ui,...j,ijk,uv->...vk", chunks[i], y[..., l**2 : (l + 1) ** 2], cg, w)
                items[o] += z / fan_in[o] ** 0.5
        expected = np.concatenate([z.reshape(*z.shape[:-2], -1) for z in items], axis=-1)
        np.testing.assert_allclose(np.moveaxis(derivative, 1, -1), expected, rtol=0, atol=1e-12)


def test_without_mixing_it_combines_the_terms_of_the_basis():
    x, v = ic.IrrepsArray("2x1o + 0e", np.arange(1.0, 8.0)), ic.IrrepsArray("1o", VECTORS[[0, 5]])
    layer = irr.LinearSHTP("1e + 1o", mix=False)
    params = {
        "0_0_S1o1o": np.array([[2.0, 3.0], [4.0, 5.0]]),
        "1_0_S0e1o": np.array([[6.0]]),
        "0_1_A1o1e": np.array([[7.0, 8.0]]),
    }
    assert {name: w.shape for name, w in params.items()} == {
        name: spec.shape for name, spec in irr.bindings.parameter_specs(layer, x, v).items()
    }
    found, basis = jax.jit(lambda x, v: (irr.apply(layer, params, x, v), irr.shtp(x, v, ["1e", "1o"])))(x, v)
    assert found.irreps == "3x1o + 2x1e"
    assert basis.irreps == "5x1o + 2x1e"
    b = np.asarray(basis.array).reshape(2, 7, 3)
    expected = [2 * b[:, 0] + 4 * b[:, 1], 3 * b[:, 2] + 5 * b[:, 3], 6 * b[:, 4], -7 * b[:, 5], -8 * b[:, 6]]
    np.testing.assert_allclose(found.array, np.concatenate(expected, axis=-1), rtol=0, atol=1e-5)


def test_the_basis_along_y_is_the_data_order_by_order():
    x, v = ic.IrrepsArray("1o", np.array([1.0, 2.0, 3.0])), ic.IrrepsArray("1o", np.array([0.0, 5.0, 0.0]))
    found = jax.jit(lambda x, v: irr.shtp(x, v, "1o + 1e"))(x, v)
    assert found.irreps == "2x1o + 1e"
    np.testing.assert_allclose(found.array, [0, 2, 0, 1, 0, 3, 3, 0, -1], rtol=0, atol=1e-6)


def test_irreps_that_no_path_reaches_are_zero():
    x, v = ic.ones("0o"), ic.ones("1o")
    assert irr.bindings.parameter_specs(irr.LinearSHTP("0e + 1o"), x, v) == {}
    found = irr.apply(irr.LinearSHTP("0e + 1o"), {}, x, v)
    assert found.irreps == "0e + 1o"
    assert found.zero_flags == (True, True)


@pytest.mark.parametrize(("direction", "error"), [(jnp.ones(3), TypeError), (ic.ones("2e"), ValueError)])
def test_a_direction_that_is_not_a_vector_is_refused(direction, error):
    with pytest.raises(error, match="LinearSHTP expects"):
        irr.bindings.parameter_specs(irr.LinearSHTP("0e"), ic.ones("0e"), direction)
