"""The product of functions on the sphere: by values the same as by a sum over paths."""

import math

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

METHODS = ("grid", "fourier")
SCALES = {"component": lambda l: 1.0, "norm": lambda l: (2 * l + 1) ** -0.5, "integral": lambda l: (4 * np.pi) ** -0.5}


def data(irreps, shape=(), dtype=np.float64):
    array = np.random.default_rng(len(str(irreps))).normal(size=(*shape, ic.Irreps(irreps).dim))
    return ic.IrrepsArray(irreps, array.astype(dtype))


def three_j_square(l1, l2, l3):
    """The square of the 3j symbol of three m = 0, by Racah's formula in integers."""
    g, odd = divmod(l1 + l2 + l3, 2)
    if odd or not abs(l1 - l2) <= l3 <= l1 + l2:
        return 0.0
    f = math.factorial
    top = f(2 * g - 2 * l1) * f(2 * g - 2 * l2) * f(2 * g - 2 * l3) * f(g) ** 2
    return top / (f(2 * g + 1) * (f(g - l1) * f(g - l2) * f(g - l3)) ** 2)


def twin(x, y, normalization="component"):
    """The sum over paths, Clebsch-Gordan coefficients with Gaunt's weights: by irrep."""
    found = {}
    scale = SCALES[normalization]
    for (_, ir1), a in zip(x.irreps, x.chunks, strict=True):
        for (_, ir2), b in zip(y.irreps, y.chunks, strict=True):
            for ir3 in ir1 * ir2:
                weight = math.sqrt(ir1.dim * ir2.dim * ir3.dim * three_j_square(ir1.l, ir2.l, ir3.l))
                if weight:
                    # Its sign is that which makes the coefficient of three m = 0 positive.
                    cg = ic.clebsch_gordan(ir1.l, ir2.l, ir3.l)
                    weight *= scale(ir1.l) * scale(ir2.l) / scale(ir3.l) * np.sign(cg[ir1.l, ir2.l, ir3.l])
                    found[ir3] = found.get(ir3, 0) + weight * np.einsum("...ui,...uj,ijk->...uk", a, b, cg)
    return dict(sorted(found.items()))


CASES = {
    "two functions with one": ("2x0e + 2x1o + 2x2e", "1o + 3o"),
    "ordinary and pseudoscalar": ("0e + 0o + 1e + 3o", "1o + 2o + 2e"),
}


@pytest.fixture(scope="module")
def products():
    """For each case data, and products of each normalization by each method, compiled once."""
    inputs = {name: tuple(data(irreps, (3,)) for irreps in case) for name, case in CASES.items()}

    @jax.jit
    def multiply(inputs):
        return {
            (name, normalization, method): irr.gaunt_tensor_product(x, y, normalization=normalization, method=method)
            for name, (x, y) in inputs.items()
            for normalization in SCALES
            for method in METHODS
        }

    return inputs, multiply(inputs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("normalization", SCALES)
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_sum_of_clebsch_gordan_products(products, name, normalization, method):
    inputs, found = products
    expected, found = twin(*inputs[name], normalization), found[name, normalization, method]
    assert [ir for _, ir in found.irreps] == list(expected)
    for (_, ir), chunk in zip(found.irreps, found.chunks, strict=True):
        np.testing.assert_allclose(chunk, expected[ir], rtol=0, atol=1e-13)


def test_high_degrees_and_a_filter():
    x, y = data("9o"), data("7o")
    axial = [ic.IrrepsArray([(1, (l, -1))], np.eye(2 * l + 1)[l]) for l in (9, 7)]

    @jax.jit
    def multiply(x, y, axial):
        def of_method(method):
            several = irr.gaunt_tensor_product(x, y, filter_ir_out="2e + 16e", method=method)
            options = {"normalization": "integral", "method": method}
            return several, {l: irr.gaunt_tensor_product(*axial, filter_ir_out=[(l, 1)], **options) for l in (2, 3, 16)}

        return [of_method(method) for method in METHODS]

    expected = twin(x, y)
    for several, single in multiply(x, y, axial):
        np.testing.assert_allclose(several.array, [*expected["2e"][0], *expected["16e"][0]], rtol=0, atol=1e-13)
        for l, z in single.items():
            gaunt = math.sqrt(19 * 15 * (2 * l + 1) / (4 * math.pi)) * three_j_square(9, 7, l)
            np.testing.assert_allclose(
                z.array, np.eye(2 * l + 1)[l] * gaunt if z.irreps.dim else [], rtol=0, atol=1e-13
            )


@pytest.mark.parametrize("method", METHODS)
def test_values_multiply_and_mirrors_act_in_float32(method):
    x, y = data("0e + 1o + 2e", (4, 1), np.float32), data("0o + 1e", (5,), np.float32)
    product = jax.jit(lambda x, y: irr.gaunt_tensor_product(x, y, method=method))
    found = jax.tree.map(np.asarray, product(x, y))
    assert found.irreps == "0o + 1e + 2o + 3e"
    assert found.dtype == np.float32
    v = np.array([0.3, -0.5, 0.7], np.float32)

    def values(a):
        return a.array @ ic.spherical_harmonics(sorted(a.irreps.ls), v)

    np.testing.assert_allclose(values(found), values(x) * values(y), rtol=0, atol=2e-5)
    mirror = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))
    turned = product(*(a.transform_by_matrix(mirror).astype(np.float32) for a in (x, y)))
    np.testing.assert_allclose(turned.array, found.transform_by_matrix(mirror).array, rtol=0, atol=1e-5)


def test_zeros_stay_known_to_be_zero():
    x = ic.IrrepsArray("0e + 0o", np.array([1.0, 0.0]), zero_flags=[False, True])
    found = irr.gaunt_tensor_product(x, ic.ones("1o"))
    assert found.irreps == "1o + 1e"
    assert found.zero_flags == (False, True)
    assert irr.gaunt_tensor_product(x, ic.ones("1o"), filter_ir_out="5e").shape == (0,)


@pytest.mark.parametrize(
    ("irreps", "options", "message"),
    [
        ("2x0e + 1o", {}, "one multiplicity"),
        ("2x0e", {}, "2x0e and 3x1o"),
        ("0e", {"method": "fft"}, "'fft'"),
        ("0e", {"normalization": "unit"}, "'unit'"),
    ],
)
def test_errors_name_the_wrong_argument(irreps, options, message):
    with pytest.raises(ValueError, match=message):
        irr.gaunt_tensor_product(ic.ones(irreps), ic.ones("3x1o"), **options)
