"""The product with spherical harmonics in aligned frames: the same as the plain one, everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

# Vectors where one would go wrong: zero, both poles, between the charts, close to a pole, tiny, long.
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


@pytest.mark.parametrize(("irreps", "parity"), [("0e + 2x1o + 0e + 1e", -1), ("1o", 1)])
def test_it_is_the_plain_product(irreps, parity):
    x = data(irreps, (len(SPECIAL),))
    v = ic.IrrepsArray([(1, (1, parity))], SPECIAL)
    expected = twin(x, parity, np.asarray(irr.sh([0, 1, 2], SPECIAL, True)))
    same(jitted(x, v, 2), expected, 1e-12)
    if parity == -1:
        mirror = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))
        turned = jitted(x.transform_by_matrix(mirror), v.transform_by_matrix(mirror), 2)
        same(turned, expected.transform_by_matrix(mirror), 1e-12)


@pytest.mark.parametrize(
    ("normalization", "scale"), [("norm", lambda d1, d, d3: (d1 * d) ** 0.5), ("none", lambda d1, d, d3: 1.0)]
)
def test_normalizations(normalization, scale):
    x, v = data("0e + 1o"), data("1o")
    found = jitted(x, v, 1, irrep_normalization=normalization)
    same(found, twin(x, -1, np.asarray(irr.sh([0, 1], v.array, True)), scale))


def test_high_degrees():
    x, v = data("7o"), data("1o")
    expected = twin(x, -1, np.asarray(irr.sh(range(13), v.array, True))).filter("6e")
    same(jitted(x, v, 12, filter_ir_out="6e"), expected, 1e-12)


def test_derivatives_are_those_of_the_plain_product():
    x, vectors = data("1o"), SPECIAL[[0, 1, 2, 3, 8]]

    def with_derivatives(f):
        first = jax.jacrev(f)
        return jax.jit(jax.vmap(lambda v: (f(v), first(v), jax.jacfwd(first)(v))))(vectors)

    keep = "1o + 1e + 2e"
    found = with_derivatives(lambda v: product(x, ic.IrrepsArray("1o", v), 2, filter_ir_out=keep).array)
    # The product is linear in the harmonics: of their derivatives it is the derivative.
    for derivative, harmonics in zip(found, with_derivatives(lambda v: irr.sh([0, 1, 2], v, True)), strict=True):
        expected = np.moveaxis(twin(x, -1, np.moveaxis(harmonics, 1, -1)).filter(keep).array, -1, 1)
        np.testing.assert_allclose(derivative, expected, rtol=0, atol=1e-12)
    # The rule for the vector zero: it has no direction, nothing there depends on it, and only degree 0 remains.
    np.testing.assert_array_equal(found[0][0], [*x.array, *[0] * 11])
    assert not np.any(found[1][0])
    assert not np.any(found[2][0])


def test_leading_axes_broadcast():
    x, v = data("1o", (2, 1), np.float32), data("1o", (3,), np.float32)
    found = jitted(x, v, 1)
    assert found.shape == (2, 3, 12)
    assert found.dtype == jnp.float32
    same(found, twin(x, -1, np.asarray(irr.sh([0, 1], v.array, True))), 1e-6)


def test_what_is_known_to_be_zero_stays_so():
    x = ic.from_chunks("0e + 1o", [jnp.ones((1, 1)), None], ())
    found = product(x, data("1o"), 1, filter_ir_out="0e + 1e")
    assert found.irreps == "2x0e + 1e"
    assert found.zero_flags == (False, True)
    np.testing.assert_array_equal(found.array, [1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("vector", "degree", "error", "message"),
    [
        (jnp.ones(3), 1, TypeError, "IrrepsArray"),
        (ic.ones("2x1o"), 1, ValueError, "2x1o"),
        (ic.ones("1o"), -1, ValueError, "degree"),
    ],
)
def test_refusals(vector, degree, error, message):
    with pytest.raises(error, match=message):
        product(ic.ones("0e"), vector, degree)
