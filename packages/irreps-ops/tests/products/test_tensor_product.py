"""Tensor products without weights: the definition, equivariance, the normalization, transformations of JAX."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import irreps_strategy

PAIRS = [("0e", "1o"), ("1o", "1o"), ("2x0e + 1o", "1o + 3x0o"), ("2x2o", "3e + 1o"), ("", "1o")]
ELEMENTWISE = ("3x1o + 2e", "2x0e + 1o + 1e")
PRODUCTS = [irr.tensor_product, irr.elementwise_tensor_product]
SCALES = {
    "component": lambda ir1, ir2, ir: ir.dim**0.5,
    "norm": lambda ir1, ir2, ir: (ir1.dim * ir2.dim) ** 0.5,
    "none": lambda ir1, ir2, ir: 1.0,
}
MIRROR = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))


def data(irreps, seed, shape=(), dtype=np.float64):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, np.random.default_rng(seed).normal(size=(*shape, irreps.dim)).astype(dtype))


def with_mirrored(irreps, seed):
    """Data, and the same data in a mirror."""
    x = data(irreps, seed)
    return ic.stack([x, x.transform_by_matrix(MIRROR)])


def in_numpy(tree):
    return jax.tree.map(np.asarray, tree)


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


def brute_force(x, y, scale):
    items, chunks = [], []
    for (mul1, ir1), a in zip(x.irreps, x.chunks, strict=True):
        for (mul2, ir2), b in zip(y.irreps, y.chunks, strict=True):
            for ir in ir1 * ir2:
                items.append((mul1 * mul2, ir))
                chunks.append(product_of_items(a, b, ir1, ir2, ir, scale(ir1, ir2, ir)))
    return ic.from_chunks(items, chunks, (), np.float64, backend=np).sort()


@pytest.fixture(scope="module")
def products():
    """For each pair of irreps and each normalization data, and its product as it is and regrouped; compiled once."""
    inputs = [(with_mirrored(a, 1), with_mirrored(b, 2)) for a, b in PAIRS]

    @jax.jit
    def multiply(inputs):
        def forms(x, y, normalization):
            product = partial(irr.tensor_product, x, y, irrep_normalization=normalization)
            return product(regroup_output=False), product()

        return {name: [forms(x, y, name) for x, y in inputs] for name in SCALES}

    found = in_numpy(multiply(inputs))
    return {(pair, name): (*inputs[n], *found[name][n]) for name in SCALES for n, pair in enumerate(PAIRS)}


@pytest.mark.parametrize("normalization", SCALES)
@pytest.mark.parametrize("pair", PAIRS)
def test_it_is_its_definition(products, pair, normalization):
    x, y, z, regrouped = products[pair, normalization]
    expected = brute_force(x[0], y[0], SCALES[normalization])
    assert z.irreps == expected.irreps
    np.testing.assert_allclose(z[0].array, expected.array, atol=1e-13)
    expected = brute_force(x[0].regroup(), y[0].regroup(), SCALES[normalization])
    assert regrouped.irreps == expected.irreps.simplify()
    np.testing.assert_allclose(regrouped[0].array, expected.array, atol=1e-13)


@pytest.mark.parametrize("pair", PAIRS)
def test_it_is_equivariant(products, pair):
    *_, z = products[pair, "component"]
    np.testing.assert_allclose(z.array[1], z[0].transform_by_matrix(MIRROR).array, atol=1e-12)


def test_the_elementwise_product_is_its_definition_and_equivariant():
    x, y = (with_mirrored(irreps, seed) for seed, irreps in enumerate(ELEMENTWISE))
    z = in_numpy(jax.jit(irr.elementwise_tensor_product)(x, y))
    each = [
        brute_force(x[0].slice_by_mul[i : i + 1], y[0].slice_by_mul[i : i + 1], SCALES["component"]) for i in range(4)
    ]
    assert z.irreps == "2x1o + 0e + 1e + 2e + 1e + 2e + 3e"
    np.testing.assert_allclose(z[0].regroup().array, ic.concatenate(each).regroup().array, atol=1e-13)
    np.testing.assert_allclose(z.array[1], z[0].transform_by_matrix(MIRROR).array, atol=1e-12)


@pytest.mark.parametrize("keep", ["0e + 1e", ic.Irreps("0e + 3x1e"), ["0e", "1e"], ic.Irrep("1e"), ""])
def test_a_filter_computes_only_the_wanted_irreps(keep):
    x, y = data("1o + 2e", 1), data("1o", 2)
    full = irr.tensor_product(x, y).filter(keep)
    some = irr.tensor_product(x, y, filter_ir_out=keep)
    assert some.irreps == full.irreps
    np.testing.assert_allclose(some.array, full.array, rtol=1e-13)  # the order of operations may differ


def test_a_filter_may_be_an_iterator():
    assert irr.tensor_product("0e + 1o", "0e + 1o", filter_ir_out=iter(["0e", "1o"])) == "2x0e + 2x1o"


@settings(max_examples=20, deadline=None)
@given(a=irreps_strategy(lmax=2, mul_max=2, length_max=2), b=irreps_strategy(lmax=2, mul_max=2, length_max=2))
def test_irreps_without_data_follow_the_selection_rules(a, b):
    expected = [(mul1 * mul2, ir) for mul1, ir1 in a for mul2, ir2 in b for ir in ir1 * ir2]
    assert irr.tensor_product(a, b) == irr.tensor_product(repr(a), repr(b)) == ic.Irreps(expected).regroup()
    assert irr.tensor_product(a, b, regroup_output=False) == ic.Irreps(expected).sort().irreps


def test_irreps_without_data_are_those_of_the_elementwise_product():
    x, y = (data(irreps, 0) for irreps in ELEMENTWISE)
    assert irr.elementwise_tensor_product(*ELEMENTWISE) == irr.elementwise_tensor_product(x, y).irreps


def test_the_full_product_is_the_kronecker_product_in_another_basis():
    x, y = data("1o + 2e", 1), data("1e + 0o", 2)
    z = jax.jit(partial(irr.tensor_product, irrep_normalization="none"))(x, y)
    assert z.irreps.dim == x.irreps.dim * y.irreps.dim
    # Clebsch-Gordan coefficients of norm 1 are an isometry up to sqrt(2l+1) of each result.
    square = sum(ir.dim * np.sum(np.square(chunk)) for (_, ir), chunk in zip(z.irreps, z.chunks, strict=True))
    np.testing.assert_allclose(square, np.sum(x.array**2) * np.sum(y.array**2))


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_variance_one_gives_variance_one(normalization):
    """Exactly: all pairs of basis vectors give the coefficients of the bilinear map."""
    x, y = ic.IrrepsArray("1o", np.eye(3)[:, None]), ic.IrrepsArray("2e", np.eye(5)[None])
    z = in_numpy(irr.tensor_product(x, y, irrep_normalization=normalization))
    for place in z.irreps.slices():
        variances = np.sum(z.array[..., place] ** 2, axis=(0, 1))
        np.testing.assert_allclose(variances if normalization == "component" else np.sum(variances) / 15, 1)


def test_leading_axes_broadcast():
    x, y = data("1o + 0e", 1, (4, 1)), data("1o", 2, (3,))
    z, one = in_numpy(jax.jit(lambda x, y: (irr.tensor_product(x, y), irr.tensor_product(x[2, 0], y[1])))(x, y))
    assert z.shape == (4, 3, z.irreps.dim)
    np.testing.assert_allclose(z.array[2, 1], one.array, atol=1e-15)
    assert jax.eval_shape(irr.elementwise_tensor_product, data("1o", 1, (4, 1)), y).shape == (4, 3, 9)


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_an_empty_batch_gives_an_empty_batch(shape):
    z, e = jax.jit(lambda x, y: (irr.tensor_product(x, y), irr.elementwise_tensor_product(x, x)))(
        data("1o", 1, shape), data("0e + 1o", 2, shape)
    )
    assert z.shape == (*shape, 12)
    assert e.shape == (*shape, 9)


def test_zeros_stay_known_to_be_zero():
    x = ic.IrrepsArray("0e + 1o", np.array([0.0, 1.0, 2.0, 3.0]), zero_flags=[True, False])
    z = irr.tensor_product(x, data("2e", 2), regroup_output=False)
    for (_, ir), zero, chunk in zip(z.irreps, z.zero_flags, z.chunks, strict=True):
        assert zero == (ir == "2e")
        assert (chunk is None) == zero
    assert all(irr.elementwise_tensor_product(ic.zeros("1o"), data("1o", 2)).zero_flags)


def test_plain_arrays_are_scalars_and_integers_become_floats():
    x = data("1o", 1)
    np.testing.assert_allclose(irr.tensor_product(x, np.array([2.0])).array, 2 * x.array)
    z = irr.tensor_product(ic.IrrepsArray("1o", np.arange(3)), ic.IrrepsArray("1o", np.arange(3)))
    assert jnp.issubdtype(z.dtype, jnp.floating)


@pytest.mark.parametrize("product", PRODUCTS)
def test_derivatives_are_those_of_a_bilinear_map(product):
    x, y, dx, dy = (data("1o + 0e", seed, (2,)) for seed in range(4))

    @jax.jit
    def pairs(x, y, dx, dy):
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

    for found, expected in pairs(x, y, dx, dy):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("product", PRODUCTS)
def test_jit_and_vmap_change_nothing_and_dtypes_are_kept(product):
    x, y = data("1o + 0e", 1, (2,)), data("0e + 1o", 2, (2,))
    narrow = x.astype(np.float32), y.astype(np.float32)
    z = product(x, y)
    with jax.numpy_dtype_promotion("strict"):
        jitted, mapped, single = jax.jit(
            lambda x, y, narrow: (product(x, y), jax.vmap(product)(x, y), product(*narrow))
        )(x, y, narrow)
        with_integers = jax.eval_shape(product, x, ic.IrrepsArray("0e + 1o", np.arange(4)))
    assert (jitted.dtype, single.dtype, with_integers.dtype) == (np.float64, np.float32, np.float64)
    np.testing.assert_allclose(jitted.array, z.array, atol=1e-14)
    np.testing.assert_allclose(mapped.array, z.array, atol=1e-14)
    np.testing.assert_allclose(single.array, z.array, atol=3e-6)


def test_errors_name_the_wrong_input():
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


def products_of_items(x: ic.IrrepsArray) -> dict[tuple[int, int, str], np.ndarray]:
    """For each pair of items and each irrep the bare products, of shape (mul1, mul2, dim)."""
    out = {}
    for i, ((_, ir1), a) in enumerate(zip(x.irreps, x.chunks, strict=True)):
        for j, ((_, ir2), b) in enumerate(zip(x.irreps, x.chunks, strict=True)):
            for ir in ir1 * ir2:
                out[i, j, str(ir)] = np.einsum("ui,vj,ijk->uvk", a, b, ic.clebsch_gordan(ir1.l, ir2.l, ir.l))
    return out


def test_the_square_has_every_product_once():
    x = data("2x0e + 3x1o", 3)
    z = jax.jit(partial(irr.tensor_square, irrep_normalization="none", regroup_output=False))(x)
    products, pairs = products_of_items(x), np.triu_indices(3, 1)
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
    # Nothing else: all symmetric products of 2 + 9 numbers.
    assert z.irreps.dim == 11 * 12 // 2


def fourth_moments(irreps: ic.Irreps, normalization: str, normalized: bool) -> np.ndarray:
    """E[x_a x_b x_c x_d] of independent normal components, or of irreps of norm 1 in random directions."""
    irrep = np.repeat(np.arange(irreps.num_irreps), [ir.dim for mul, ir in irreps for _ in range(mul)])
    d = np.bincount(irrep)[irrep].astype(float)
    same = irrep[:, None] == irrep
    if normalized:
        scale = np.where(same, 1 / (d * (d + 2)), 1 / np.outer(d, d))
    else:
        scale = 1 / np.outer(d, d) if normalization == "norm" else np.ones_like(same, float)
    delta = np.eye(len(d))
    return (
        np.einsum("ab,cd,ac->abcd", delta, delta, scale)
        + np.einsum("ac,bd,ab->abcd", delta, delta, scale)
        + np.einsum("ad,bc,ab->abcd", delta, delta, scale)
    )


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_the_square_is_normalized(normalization, normalized):
    """Exactly: sums of two basis vectors give the coefficients of the quadratic form."""
    irreps = ic.Irreps("2x1o + 2e + 0e").regroup()
    e = np.eye(irreps.dim)
    x = ic.IrrepsArray(irreps, np.stack([e[:, None] + e, e[:, None] - e]))
    square = jax.jit(partial(irr.tensor_square, irrep_normalization=normalization, normalized_input=normalized))
    z = square(x)
    plus, minus = np.asarray(z.array)
    forms = (plus - minus) / 4
    sizes = np.einsum("abk,cdk,abcd->k", forms, forms, fourth_moments(irreps, normalization, normalized))
    for (mul, ir), place in zip(z.irreps, z.irreps.slices(), strict=True):
        means = np.sum(sizes[place].reshape(mul, ir.dim), axis=1) / (ir.dim if normalization == "component" else 1)
        np.testing.assert_allclose(means, 1)


def test_the_square_is_equivariant_and_homogeneous_of_degree_2():
    x = with_mirrored("2x0e + 2x1o + 2e + 1e", 1)

    @jax.jit
    def value_and_derivative(x):
        return jax.jvp(irr.tensor_square, (x,), (x,))

    z, derivative = in_numpy(value_and_derivative(x))
    np.testing.assert_allclose(z.array[1], z[0].transform_by_matrix(MIRROR).array, atol=1e-12)
    np.testing.assert_allclose(derivative.array, 2 * z.array, atol=1e-12)
    assert irr.tensor_square("2x0e + 2x1o + 2e + 1e") == z.irreps
