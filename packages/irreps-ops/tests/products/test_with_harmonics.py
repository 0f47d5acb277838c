"""The product with spherical harmonics in aligned frames equals the plain product, for every vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

# Special vectors: zero, both poles, the border between the charts, close to a pole, tiny, long; and a usual one.
SPECIAL = np.array(
    [
        [0, 0, 0],
        [0, 2, 0],
        [0, -3, 0],
        [1, 0, 2],
        [-0.5, 0, 0],
        [1e-9, -1, 1e-9],
        [3e-200, 4e-200, 0],
        [1e200, 2e200, -1e200],
        [0.3, -0.5, 0.7],
    ]
)
product = irr.tensor_product_with_spherical_harmonics
jitted = jax.jit(product, static_argnums=2, static_argnames=("filter_ir_out", "irrep_normalization"))


def data(irreps, shape=(), dtype=np.float64):
    array = np.random.default_rng(len(str(irreps))).normal(size=(*shape, ic.Irreps(irreps).dim))
    return ic.IrrepsArray(irreps, array.astype(dtype))


def twin(x, parity, harmonics, scale=lambda d1, d, d3: d3**0.5):
    """The plain product in NumPy, from harmonics of shape (rows, (degree+1)²): its irreps and array."""
    found = []
    for ir1, chunk in zip((ir for _, ir in x.regroup().irreps), x.regroup().chunks, strict=True):
        for l in range(int(harmonics.shape[-1] ** 0.5)):
            y, ir = harmonics[..., l**2 : (l + 1) ** 2], ic.Irrep(l, parity**l)
            for ir3 in ir1 * ir:
                z = np.einsum("...ui,...j,ijk->...uk", chunk, y, ic.clebsch_gordan(ir1.l, l, ir3.l))
                found.append((ir3, scale(ir1.dim, ir.dim, ir3.dim) * z))
    found.sort(key=lambda item: item[0])
    irreps = ic.Irreps([(z.shape[-2], ir) for ir, z in found])
    return ic.from_chunks(irreps, [z for _, z in found], found[0][1].shape[:-2]).simplify()


def same(found, expected, atol=1e-13):
    assert found.irreps == expected.irreps
    np.testing.assert_allclose(found.array, expected.array, rtol=0, atol=atol)


SCALES = {
    "component": lambda d1, d, d3: d3**0.5,
    "norm": lambda d1, d, d3: (d1 * d) ** 0.5,
    "none": lambda d1, d, d3: 1.0,
}
MIRROR = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))


@pytest.mark.parametrize(("irreps", "parity"), [("0e + 2x1o + 0e + 1e", -1), ("1o", 1)])
def test_it_is_the_plain_product_and_equivariant(irreps, parity):
    x = data(irreps, (len(SPECIAL),))
    v = ic.IrrepsArray([(1, (1, parity))], SPECIAL)
    expected = twin(x, parity, ic.spherical_harmonics([0, 1, 2], SPECIAL))
    same(jitted(x, v, 2), expected, 1e-12)
    turned = jitted(x.transform_by_matrix(MIRROR), v.transform_by_matrix(MIRROR), 2)
    same(turned, expected.transform_by_matrix(MIRROR), 1e-12)


@pytest.mark.parametrize("normalization", SCALES)
def test_it_has_the_normalization_of_the_plain_product(normalization):
    x, v = data("0e + 1o"), data("1o")
    found = jitted(x, v, 1, irrep_normalization=normalization)
    same(found, twin(x, -1, ic.spherical_harmonics([0, 1], v.array), SCALES[normalization]))


def test_high_degrees_agree_with_the_plain_product():
    x, v = data("7o"), data("1o")
    expected = twin(x, -1, ic.spherical_harmonics(range(13), v.array)).filter("6e")
    same(jitted(x, v, 12, filter_ir_out="6e"), expected, 1e-12)


def test_derivatives_are_those_of_the_plain_product():
    """The gradient and the Hessian of a weighted sum of the components, also where the vector is zero or at a pole."""
    x, vectors, keep = data("1o"), SPECIAL[[0, 1, 2, 3, 8]], "1o + 1e + 2e"
    weights = np.random.default_rng(0).normal(size=14)

    def components(v):
        return product(x, ic.IrrepsArray("1o", v), 2, filter_ir_out=keep).array

    @jax.jit
    @jax.vmap
    def found(v):
        gradient = jax.grad(lambda v: components(v) @ weights)
        return components(v), gradient(v), jax.jacfwd(gradient)(v)

    @jax.jit
    @jax.vmap
    def of_harmonics(v):
        first = jax.jacfwd(lambda v: ic.spherical_harmonics([0, 1, 2], v))
        return first(v), jax.jacfwd(first)(v)

    values, gradients, hessians = found(vectors)
    # The product is linear in the harmonics: its derivatives are products with the derivatives of the harmonics.
    for derivative, harmonics in zip((gradients, hessians), of_harmonics(vectors), strict=True):
        expected = twin(x, -1, np.moveaxis(harmonics, 1, -1)).filter(keep).array @ weights
        np.testing.assert_allclose(derivative, expected, rtol=0, atol=1e-12)
    # The vector zero has no direction: nothing there depends on it, and only degree 0 remains.
    np.testing.assert_array_equal(values[0], [*x.array, *[0] * 11])
    assert not np.any(gradients[0])
    assert not np.any(hessians[0])


def test_leading_axes_broadcast_in_float32():
    x, v = data("1o", (2, 1), np.float32), data("1o", (3,), np.float32)
    found = jitted(x, v, 1)
    assert found.shape == (2, 3, 12)
    assert found.dtype == np.float32
    same(found, twin(x, -1, ic.spherical_harmonics([0, 1], v.array)), 1e-6)


def test_zeros_stay_known_to_be_zero():
    x, v = ic.IrrepsArray("0e + 1o", np.array([1.0, 0.0, 0.0, 0.0]), zero_flags=[False, True]), data("1o")

    @jax.jit
    def known(v):
        found = product(x, ic.IrrepsArray("1o", v), 1, filter_ir_out="0e + 1e")
        assert found.irreps == "2x0e + 1e"
        assert found.zero_flags == (False, True)
        return found.array

    np.testing.assert_array_equal(known(v.array), [1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("vector", "degree", "error", "message"),
    [
        (jnp.ones(3), 1, TypeError, "IrrepsArray"),
        (ic.ones("2x1o"), 1, ValueError, "2x1o"),
        (ic.ones("1o"), -1, ValueError, "degree"),
    ],
)
def test_errors_name_the_wrong_argument(vector, degree, error, message):
    with pytest.raises(error, match=message):
        product(ic.ones("0e"), vector, degree)
