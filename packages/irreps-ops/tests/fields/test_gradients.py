"""Derivatives as irreps: the definition by finite differences, identities of vector calculus, equivariance."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64


def data(irreps, seed, shape=(), dtype=F):
    irreps = ic.Irreps(irreps)
    return ic.IrrepsArray(irreps, jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, irreps.dim)), dtype))


def field(x):
    """Of 2x1o + 0o: 2x0e + 1e + 2o, whose Jacobian has no symmetry."""
    a, b, s = (x.slice_by_mul[n : n + 1] for n in range(3))
    radius = ic.norm(a, squared=True)
    tensor = ic.IrrepsArray("2o", irr.sh(2, b.array, normalize=False) * s.array)
    return ic.concatenate([radius * ic.dot(a, b), ic.norm(b, squared=True), ic.cross(a, b) * radius, tensor])


def jacobian(fun, x, h=1e-5):
    """Central differences, of shape (dim of y, dim of x)."""
    steps = h * np.eye(x.irreps.dim)
    many = jax.jit(jax.vmap(lambda array: fun(ic.IrrepsArray(x.irreps, array)).array))
    above, below = (np.asarray(many(x.array[None] + sign * steps)) for sign in (1, -1))
    return (above - below).T / (2 * h)


def reduced(J, irreps1, irreps2):
    """The definition as loops over the items, the multiplicities and the irreps of the product."""
    items, chunks = [], []
    for (mul1, ir1), rows in zip(irreps1, irreps1.slices(), strict=True):
        for (mul2, ir2), columns in zip(irreps2, irreps2.slices(), strict=True):
            block = J[rows, columns].reshape(mul1, ir1.dim, mul2, ir2.dim)
            for ir in ir1 * ir2:
                c = ic.clebsch_gordan(ir1.l, ir2.l, ir.l) * np.sqrt(ir.dim)
                items.append((mul1 * mul2, ir))
                chunks.append(np.array([np.tensordot(block[u, :, v], c, 2) for u in range(mul1) for v in range(mul2)]))
    return ic.from_chunks(items, chunks, (), np.float64, backend=np)


X = data("2x1o + 0o", 1)


def test_grad_is_its_definition():
    found, in_order = jax.jit(lambda x: (irr.grad(field)(x), irr.grad(field, regroup_output=False)(x)))(X)
    J = jacobian(field, X)
    expected = reduced(J, jax.eval_shape(field, X).irreps, X.irreps)
    for y, e in ((in_order, expected), (found, expected.regroup())):
        assert repr(y.irreps) == repr(e.irreps)
        np.testing.assert_allclose(y.array, e.array, atol=1e-8)
    # The change of basis is orthogonal.
    np.testing.assert_allclose(jnp.sum(found.array**2), np.sum(J**2), rtol=1e-8)


@pytest.mark.parametrize("operation", [irr.grad, irr.hessian])
def test_gradient_and_hessian_are_equivariant(operation):
    assert_equivariant(jax.jit(operation(field)), jax.random.key(0), "2x1o + 0o", dtype=F, draws=2)


@pytest.mark.parametrize("operation", [irr.divergence, irr.curl])
def test_divergence_and_curl_are_equivariant(operation):
    def fun(s, x):
        a, b = x[..., "1o"], x[..., "1e"]
        return ic.concatenate([ic.cross(a, b) * s, ic.norm(a, squared=True) * b])

    assert_equivariant(jax.jit(operation(fun, 1)), jax.random.key(0), "0e", "1o + 1e", dtype=F, draws=2)


def test_the_gradient_of_rows_is_that_of_all_pairs():
    x, w = data("1o", 1, (2, 3)), data("0e", 2, (4, 2, 3))
    found = jax.jit(irr.grad(lambda w, x: ic.sum(w * x[None], axis=2), argnums=-1))(w, x)
    assert found.shape == (4, 2, 2, 3, 9)
    assert found.irreps == "0e + 1e + 2e"
    # y[a, b] = sum over c of w[a, b, c] x[b, c]
    expected = jnp.sqrt(3) * jnp.einsum("abc,bd->abdc", w.array[..., 0], jnp.eye(2))
    np.testing.assert_allclose(found.array[..., 0], expected, atol=1e-15)
    np.testing.assert_allclose(found.array[..., 1:], 0, atol=1e-15)


def linear_field(M, p=-1):
    return lambda x: ic.IrrepsArray("1o" if p == -1 else "1e", jnp.einsum("ij,...j->...i", M, x.array))


@pytest.mark.parametrize("p", [-1, 1])
def test_divergence_and_curl_of_a_linear_field(p):
    M = np.random.default_rng(0).normal(size=(3, 3))
    f = linear_field(M, p)
    div, rot = jax.jit(lambda x: (irr.divergence(f)(x), irr.curl(f)(x)))(data("1o", 1))
    assert (div.irreps, rot.irreps) == (("0e", "1e") if p == -1 else ("0o", "1o"))
    np.testing.assert_allclose(div.array, [np.trace(M)])
    np.testing.assert_allclose(rot.array, [M[2, 1] - M[1, 2], M[0, 2] - M[2, 0], M[1, 0] - M[0, 1]])


def test_identities_of_vector_calculus():
    def potential(x):
        return ic.IrrepsArray("0e", jnp.sin(x.array[:1] * x.array[1:2]) + x.array[2:] ** 3)

    def vectors(x):
        return ic.IrrepsArray("1o", jnp.cos(x.array[::-1]) * jnp.roll(x.array, 1))

    x = data("1o", 3)
    first, second = irr.curl(irr.grad(potential)), irr.divergence(irr.curl(vectors))
    operations = (first, second, irr.divergence(irr.grad(potential)), irr.hessian(potential))
    *zeros, laplacian, H = jax.jit(lambda x: [f(x) for f in operations])(x)
    assert all(np.max(np.abs(zero.array)) < 1e-15 for zero in zeros)
    assert H.irreps == "0e + 2e"
    np.testing.assert_allclose(H[..., "0e"].array * 3**0.5, laplacian.array, rtol=1e-14)


def test_divergence_of_a_flow_is_the_trace_over_points():
    x = data("1o", 1, (4,))

    def flow(x):
        return x * ic.norm(ic.sum(x, axis=0, keepdims=True), squared=True)

    def full(x):
        return jax.jacobian(lambda a: flow(ic.IrrepsArray("1o", a)).array)(x.array)

    found, jacobian = jax.jit(lambda x: (irr.divergence(flow)(x), full(x)))(x)
    assert found.shape == (4, 4, 1)
    np.testing.assert_allclose(np.trace(found.array[..., 0]), np.trace(np.asarray(jacobian).reshape(12, 12)))


def test_divergence_and_curl_of_several_vectors_are_those_of_all_pairs():
    M = np.random.default_rng(0).normal(size=(9, 6))
    x = data("1o + 1e", 1)
    y = lambda x: ic.IrrepsArray("2x1o + 1e", jnp.asarray(M) @ x.array)  # noqa: E731
    div, rot = jax.jit(lambda x: (irr.divergence(y)(x), irr.curl(y)(x)))(x)
    traces = np.einsum("uivi->uv", M.reshape(3, 3, 2, 3))
    # 1o with 1o and 1e with 1e are 0e, the others 0o.
    assert div.irreps == "3x0e + 3x0o"
    np.testing.assert_allclose(div.array, [*traces[[0, 1, 2], [0, 0, 1]], *traces[[0, 1, 2], [1, 1, 0]]])
    assert rot.irreps == "3x1o + 3x1e"


def test_hessian_of_a_quadratic_form():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 6))
    A = A + A.T
    form = lambda x: ic.IrrepsArray("0e", (x.array @ A @ x.array)[None] / 2)  # noqa: E731
    found = jax.jit(irr.hessian(form))(data("2x1o", 1))
    expected = reduced(A, ic.Irreps("2x1o"), ic.Irreps("2x1o"))  # four of 0e, 1e, 2e: (0, 0), (0, 1), (1, 0), (1, 1)
    assert found.irreps == irr.tensor_square("2x1o") == "3x0e + 1e + 3x2e"
    zero, one, two = (chunk for chunk in expected.chunks)
    pair = np.sqrt(2) * np.concatenate([zero[1], one[1], two[1]])
    by_hand = [pair[0], zero[0, 0], zero[3, 0], *pair[1:4], *pair[4:], *two[0], *two[3]]
    np.testing.assert_allclose(found.array, by_hand, atol=1e-14)
    np.testing.assert_allclose(jnp.sum(found.array**2), np.sum(A**2))


def test_the_hessian_of_a_vector_is_two_gradients_without_known_zeros():
    scalar = lambda x: ic.norm(x, squared=True) * ic.norm(x, squared=True)  # noqa: E731
    x = data("1o", 4)
    two, hessian = jax.jit(lambda x: (irr.grad(irr.grad(scalar))(x), irr.hessian(scalar)(x)))(x)
    np.testing.assert_allclose(hessian.array, two.filter("0e + 2e").array, atol=1e-14)
    np.testing.assert_allclose(two.filter("1e").array, 0, atol=1e-14)


def test_the_hessian_of_points_is_that_of_all_pairs():
    def energy(x):
        a, b, c = x[0], x[1], x[2]
        volume = jnp.dot(a.array, ic.cross(b, c).array)
        return ic.norm(a - b, squared=True) * ic.IrrepsArray("0o", volume[None])

    x = data("1o", 1, (3,))

    def full(x):
        return jax.hessian(lambda a: energy(ic.IrrepsArray("1o", a)).array[0])(x.array)

    found, expected = jax.jit(lambda x: (irr.hessian(energy)(x), full(x)))(x)
    assert found.shape == (3, 3, 9)
    assert found.irreps == "0o + 1o + 2o"
    expected = np.asarray(expected)
    for a in range(3):
        for b in range(3):
            of_pair = reduced(expected[a, :, b], ic.Irreps("1o"), ic.Irreps("1o"))
            np.testing.assert_allclose(found.array[a, b], of_pair.array, atol=1e-13)
    numbers = np.asarray(found.array)
    # Force constants: exchanging the points transposes, which changes the sign of the antisymmetric part.
    signs = np.repeat([1, -1, 1], [1, 3, 5])
    np.testing.assert_allclose(np.swapaxes(numbers, 0, 1) * signs, numbers, atol=1e-13)


def test_other_arguments_and_auxiliary_results_are_passed_on():
    def fun(x, scale, *, add):
        return ic.norm(x, squared=True) * x * scale + add * x, {"norm": ic.norm(x)}

    x = data("1o", 1, (5,), jnp.float32)
    y, aux = jax.jit(ic.vmap(lambda x: irr.divergence(fun, has_aux=True)(x, 2.0, add=0.5)))(x)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y.array, 10 * ic.norm(x, squared=True).array + 1.5, rtol=1e-6)
    np.testing.assert_allclose(aux["norm"].array, ic.norm(x).array, rtol=1e-6)
    for operation in (irr.divergence, irr.hessian):
        derived = lambda x: operation(fun, has_aux=True)(x, 2.0, add=0.5)[0]  # noqa: B023, E731
        assert jax.eval_shape(derived, x[:0]).shape[:2] == (0, 0)


def test_derivatives_at_zero_vectors_are_finite():
    zero = ic.IrrepsArray("0e + 1o", jnp.zeros(4, F))
    known = ic.IrrepsArray("0e + 1o", jnp.zeros(4, F), zero_flags=(True, True))
    harmonics = partial(irr.spherical_harmonics, "0e + 1o + 2e", normalize=True)

    @jax.jit
    def run(zero):
        doubled = [irr.grad(lambda x: ic.concatenate([x, x[..., "1o"]]))(x) for x in (zero, known)]
        return doubled, irr.hessian(lambda x: harmonics(input=x))(zero[..., "1o"])

    gradients, hessian = run(zero)
    for gradient in gradients:
        assert np.isfinite(gradient.array).all()
        assert gradient.irreps == "3x0e + 3x1o + 2x1e + 2x2e"
    np.testing.assert_array_equal(hessian.array, 0)


def test_integers_become_floats():
    found = jax.jit(irr.grad(lambda x: ic.norm(x, squared=True)))(ic.IrrepsArray("1o", jnp.array([1, 2, 3])))
    np.testing.assert_array_equal(found.array, [2, 4, 6])


@pytest.mark.parametrize("operation", [irr.grad, irr.divergence, irr.curl, irr.hessian])
def test_errors_name_the_expected_and_the_received_argument(operation):
    with pytest.raises(ValueError, match="argnums must be an integer"):
        operation(lambda x: x, argnums=(0, 1))
    with pytest.raises(TypeError, match="IrrepsArray as argument 0, got"):
        operation(lambda x: x)(jnp.ones(3))
    with pytest.raises(TypeError, match="returns an IrrepsArray, got"):
        jax.eval_shape(operation(lambda x: jnp.sum(x.array)), data("1o", 1))
    if operation in (irr.divergence, irr.curl):
        with pytest.raises(ValueError, match=r"x of 1x0e\+1x1o: filter"):
            jax.eval_shape(operation(lambda x: x), data("0e + 1o", 1))


@pytest.mark.parametrize("regroup_output", [True, False])
def test_as_e3nn_jax(regroup_output):
    e3nn = pytest.importorskip("e3nn_jax")
    x = data("1o + 2x0e", 1, (2,))

    def fun(library, x):
        return library.tensor_product(x, x).filter("0e + 1o + 2e"), library.norm(x)

    theirs, _ = e3nn.grad(partial(fun, e3nn), has_aux=True, regroup_output=regroup_output)(
        e3nn.IrrepsArray(str(x.irreps), x.array)
    )

    def ours(x):
        y = irr.tensor_product(x, x).filter("0e + 1o + 2e")
        return y, ic.norm(x)

    found, _ = irr.grad(ours, has_aux=True, regroup_output=regroup_output)(x)
    assert repr(found.irreps) == repr(theirs.irreps)
    np.testing.assert_allclose(found.array, theirs.array, rtol=1e-13, atol=1e-13)
