"""Tensor products: the definition term by term, the group law, the normalization, what JAX does to them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant, irreps_strategy

PAIRS = [("0e", "1o"), ("1o", "1o"), ("2x0e + 1o", "1o + 3x0o"), ("2x2o", "3e + 1o"), ("", "1o")]
PRODUCTS = [irr.tensor_product, lambda x, y: irr.tensor_product(x, y, regroup_output=False)]


def data(irreps, seed, shape=(), dtype=jnp.float64):
    return ic.normal(irreps, jax.random.key(seed), shape, dtype=dtype)


def product_of_items(a, b, ir1, ir2, ir, scale):
    """The definition, written as loops: z[u v, k] = scale sum_ij C[i,j,k] x[u,i] y[v,j]."""
    C = ic.clebsch_gordan(ir1.l, ir2.l, ir.l)
    out = np.zeros((a.shape[0] * b.shape[0], ir.dim))
    for u in range(a.shape[0]):
        for v in range(b.shape[0]):
            for i in range(ir1.dim):
                for j in range(ir2.dim):
                    out[u * b.shape[0] + v] += scale * C[i, j] * a[u, i] * b[v, j]
    return out


def brute_force(x, y, scale, keep=lambda ir: True):
    items, chunks = [], []
    for (mul1, ir1), a in zip(x.irreps, x.chunks, strict=True):
        for (mul2, ir2), b in zip(y.irreps, y.chunks, strict=True):
            for ir in filter(keep, ir1 * ir2):
                items.append((mul1 * mul2, ir))
                chunks.append(product_of_items(np.asarray(a), np.asarray(b), ir1, ir2, ir, scale(ir1, ir2, ir)))
    return ic.from_chunks(items, chunks, (), np.float64, backend=np).sort()


SCALES = {
    "component": lambda ir1, ir2, ir: ir.dim**0.5,
    "norm": lambda ir1, ir2, ir: (ir1.dim * ir2.dim) ** 0.5,
    "none": lambda ir1, ir2, ir: 1.0,
}


@pytest.mark.parametrize("normalization", SCALES)
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_is_its_definition(a, b, normalization):
    x, y = data(a, 1), data(b, 2)
    expected = brute_force(x, y, SCALES[normalization])
    z = irr.tensor_product(x, y, irrep_normalization=normalization, regroup_output=False)
    assert z.irreps == expected.irreps
    np.testing.assert_allclose(z.array, expected.array, atol=1e-13)
    regrouped = irr.tensor_product(x, y, irrep_normalization=normalization)
    np.testing.assert_allclose(regrouped.array, brute_force(x.regroup(), y.regroup(), SCALES[normalization]).array)


@pytest.mark.parametrize("keep", ["0e + 1e", ic.Irreps("0e + 3x1e"), ["0e", "1e"], ic.Irrep("1e"), ""])
def test_filter_computes_only_what_is_wanted(keep):
    x, y = data("1o + 2e", 1), data("1o", 2)
    full = irr.tensor_product(x, y).filter(keep)
    some = irr.tensor_product(x, y, filter_ir_out=keep)
    assert some.irreps == full.irreps
    np.testing.assert_array_equal(some.array, full.array)


def test_filter_may_be_read_only_once():
    x = data("0e + 1o", 1)
    assert irr.tensor_product(x, x, filter_ir_out=iter(["0e", "1o"])).irreps == "2x0e + 2x1o"


@pytest.mark.parametrize("product", [irr.tensor_product, irr.elementwise_tensor_product])
@settings(max_examples=6, deadline=None)
@given(a=irreps_strategy(lmax=2, mul_max=2, length_max=2), b=irreps_strategy(lmax=2, length_max=2))
def test_irreps_alone_give_the_irreps_of_the_result(product, a, b):
    if product is irr.elementwise_tensor_product and a.num_irreps != b.num_irreps:
        b = a
    result = product(data(a, 1), data(b, 2))
    assert product(a, b) == result.irreps
    assert product(repr(a), repr(b)) == result.irreps


@settings(max_examples=6, deadline=None)
@given(a=irreps_strategy(lmax=2, mul_max=2, length_max=2), b=irreps_strategy(lmax=2, mul_max=2, length_max=2))
def test_is_equivariant(a, b):
    assert_equivariant(irr.tensor_product, jax.random.key(0), a, b, dtype=jnp.float64)


def test_elementwise_is_equivariant_and_its_definition():
    a, b = "3x1o + 2e", "2x0e + 1o + 1e"
    assert_equivariant(irr.elementwise_tensor_product, jax.random.key(0), a, b, dtype=jnp.float64)
    x, y = data(a, 1), data(b, 2)
    z = irr.elementwise_tensor_product(x, y)
    one_by_one = [
        irr.tensor_product(x.slice_by_mul[i : i + 1], y.slice_by_mul[i : i + 1], regroup_output=False) for i in range(4)
    ]
    np.testing.assert_allclose(z.regroup().array, ic.concatenate(one_by_one).regroup().array)


def test_full_product_is_the_kronecker_product_in_another_basis():
    x, y = data("1o + 2e", 1), data("1e + 0o", 2)
    z = irr.tensor_product(x, y, irrep_normalization="none")
    assert z.irreps.dim == x.irreps.dim * y.irreps.dim
    # The Clebsch-Gordan coefficients of norm 1 are an isometry but for sqrt(2l+1) of each result.
    square = sum(ir.dim * jnp.sum(chunk**2) for (_, ir), chunk in zip(z.irreps, z.chunks, strict=True))
    np.testing.assert_allclose(square, jnp.sum(x.array**2) * jnp.sum(y.array**2))


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_variance_one_stays_variance_one(normalization):
    x, y = (
        ic.normal(irreps, jax.random.key(i), (20_000,), normalization=normalization, dtype=jnp.float64)
        for i, irreps in enumerate(["1o", "2e"])
    )
    z = jax.jit(partial(irr.tensor_product, irrep_normalization=normalization))(x, y)
    square = z.array**2 if normalization == "component" else ic.norm(z, squared=True).array
    np.testing.assert_allclose(jnp.mean(square, axis=0), 1.0, atol=0.05)


def test_leading_axes_broadcast():
    x, y = data("1o + 0e", 1, (4, 1)), data("1o", 2, (3,))
    z = irr.tensor_product(x, y)
    assert z.shape == (4, 3, z.irreps.dim)
    np.testing.assert_allclose(z[2, 1].array, irr.tensor_product(x[2, 0], y[1]).array, atol=1e-15)
    e = irr.elementwise_tensor_product(data("1o", 1, (4, 1)), y)
    assert e.shape == (4, 3, 9)


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_empty_batch(shape):
    z = irr.tensor_product(data("1o", 1, shape), data("0e + 1o", 2, shape))
    assert z.shape == (*shape, 12)
    assert irr.elementwise_tensor_product(data("1o", 1, shape), data("1o", 2, shape)).shape == (*shape, 9)


def test_zeros_stay_known_to_be_zero():
    x = ic.concatenate([ic.zeros("0e", (), jnp.float64), data("1o", 1)])
    z = irr.tensor_product(x, data("2e", 2), regroup_output=False)
    for (_, ir), zero, chunk in zip(z.irreps, z.zero_flags, z.chunks, strict=True):
        assert zero == (ir == "2e")
        assert (chunk is None) == zero
    assert all(irr.elementwise_tensor_product(ic.zeros("1o"), data("1o", 2)).zero_flags)


def test_plain_arrays_are_scalars_and_integers_become_floats():
    x = data("1o", 1)
    np.testing.assert_allclose(irr.tensor_product(x, jnp.array([2.0])).array, 2 * x.array)
    z = irr.tensor_product(ic.IrrepsArray("1o", jnp.arange(3)), ic.IrrepsArray("1o", jnp.arange(3)))
    assert jnp.issubdtype(z.dtype, jnp.floating)


@pytest.mark.parametrize("product", [irr.tensor_product, irr.elementwise_tensor_product])
def test_derivatives_are_those_of_a_bilinear_map(product):
    x, y, dx, dy = (data("1o + 0e", seed, (2,)) for seed in range(4))

    @jax.jit
    def check(x, y, dx, dy):
        value, first = jax.jvp(product, (x, y), (dx, dy))
        _, second = jax.jvp(lambda x: jax.jvp(partial(product, x), (y,), (dy,))[1], (x,), (dx,))
        dual = value.array
        gx, gy = jax.vjp(product, x, y)[1](ic.IrrepsArray(value.irreps, dual))
        adjoint = jnp.vdot(gx.array, dx.array) + jnp.vdot(gy.array, dy.array)
        return (
            (first.array, (product(dx, y) + product(x, dy)).array),
            (second.array, product(dx, dy).array),
            (adjoint, jnp.vdot(dual, first.array)),
        )

    for found, expected in check(x, y, dx, dy):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("product", [irr.tensor_product, irr.elementwise_tensor_product])
def test_transformations_and_dtypes(product):
    x, y = data("1o + 0e", 1, (2,)), data("0e + 1o", 2, (2,))
    z = product(x, y)
    np.testing.assert_allclose(jax.jit(product)(x, y).array, z.array, atol=1e-14)
    np.testing.assert_allclose(jax.vmap(product)(x, y).array, z.array, atol=1e-14)
    single = product(x.astype(jnp.float32), y.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single.array, z.array, atol=3e-6)
    with jax.numpy_dtype_promotion("strict"):
        assert product(x, y).dtype == jnp.float64
        assert product(x, ic.IrrepsArray("0e + 1o", jnp.arange(4))).dtype == jnp.float64


def test_bad_input_is_named():
    x = data("1o", 1)
    with pytest.raises(ValueError, match="'bogus'"):
        irr.tensor_product(x, x, irrep_normalization="bogus")
    with pytest.raises(ValueError, match="'bogus'"):
        irr.tensor_product("1o", "1o", irrep_normalization="bogus")
    with pytest.raises(ValueError, match=r"2x1o with 2 and 1x1o with 1"):
        irr.elementwise_tensor_product(data("2x1o", 1), x)
    with pytest.raises(TypeError, match="irreps 1o with data"):
        irr.tensor_product("1o", x)
    with pytest.raises(ValueError, match="shape"):
        irr.tensor_product(data("1o", 1, (2,)), data("1o", 1, (3,)))


# The square of data with itself.


def square_by_hand(x: ic.IrrepsArray) -> dict[tuple[int, int, str], np.ndarray]:
    """For each pair of items and each irrep the bare products, of shape (mul1, mul2, dim)."""
    out = {}
    for i, ((_, ir1), a) in enumerate(zip(x.irreps, x.chunks, strict=True)):
        for j, ((_, ir2), b) in enumerate(zip(x.irreps, x.chunks, strict=True)):
            for ir in ir1 * ir2:
                out[i, j, str(ir)] = np.einsum("ui,vj,ijk->uvk", a, b, ic.clebsch_gordan(ir1.l, ir2.l, ir.l))
    return out


def test_square_has_every_product_once():
    x = data("2x0e + 3x1o", 3)
    z = irr.tensor_square(x, irrep_normalization="none", regroup_output=False)
    products, pairs = square_by_hand(x), np.triu_indices(3, 1)
    expected = {
        "3x0e": products[1, 1, "0e"][pairs],
        "3x1e": products[1, 1, "1e"][pairs],
        "3x2e": products[1, 1, "2e"][pairs],
    }
    found = [(str(item), np.asarray(chunk)) for item, chunk in zip(z.irreps, z.chunks, strict=True)]
    for name, values in expected.items():
        assert any(n == name and np.allclose(chunk, values, atol=1e-13) for n, chunk in found), name
    diagonal = products[1, 1, "2e"][np.arange(3), np.arange(3)]
    assert any(n == "3x2e" and np.allclose(chunk, diagonal, atol=1e-13) for n, chunk in found)
    mixed = products[0, 1, "1o"].reshape(6, 3)
    assert any(n == "6x1o" and np.allclose(chunk, mixed, atol=1e-13) for n, chunk in found)
    # Nothing else: all of the symmetric products of 2 + 9 numbers.
    assert z.irreps.dim == 11 * 12 // 2


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_square_is_normalized(normalization, normalized):
    x = ic.normal(
        "2x1o + 2e + 0e",
        jax.random.key(0),
        (20_000,),
        normalization=normalization,
        normalize=normalized,
        dtype=jnp.float64,
    )
    if normalized and normalization == "component":
        x = ic.normal(
            "2x1o + 2e + 0e", jax.random.key(0), (20_000,), normalization="norm", normalize=True, dtype=jnp.float64
        )
    z = irr.tensor_square(x, irrep_normalization=normalization, normalized_input=normalized)
    for (_, ir), chunk in zip(z.irreps, z.chunks, strict=True):
        size = jnp.sum(chunk**2, axis=-1) / (ir.dim if normalization == "component" else 1)
        np.testing.assert_allclose(jnp.mean(size, axis=0), 1, rtol=0.1)


def test_square_is_equivariant_and_differentiable():
    assert_equivariant(irr.tensor_square, jax.random.key(0), "2x0e + 2x1o + 2e + 1e", dtype=jnp.float64)
    x = data("2x0e + 2x1o", 1)
    zero = jax.jvp(lambda a: irr.tensor_square(ic.IrrepsArray(x.irreps, a)).array, (x.array,), (x.array,))
    np.testing.assert_allclose(zero[1], 2 * zero[0], atol=1e-12)  # homogeneous of degree 2
    assert irr.tensor_square("2x0e + 2x1o") == irr.tensor_square(x).irreps
