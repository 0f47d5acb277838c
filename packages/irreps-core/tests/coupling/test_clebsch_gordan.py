"""Clebsch-Gordan coefficients and generators against their definitions and against SymPy."""

import itertools
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irreps_core import (
    change_basis_real_to_complex,
    clebsch_gordan,
    clebsch_gordan_sparse,
    generators,
    su2_clebsch_gordan,
    su2_generators,
)

degrees = st.integers(0, 20)
LARGE = [(40, 40, 40), (60, 30, 50), (40, 40, 2), (30, 30, 60), (100, 3, 99)]


def triangle(l1, l2):
    return range(abs(l1 - l2), l1 + l2 + 1)


def orthogonality_error(c):
    """C is an isometry of the third space into the product of the first two, up to sqrt(2 l3 + 1)."""
    dim = c.shape[-1]
    m = c.reshape(-1, dim) * np.sqrt(dim)
    return np.abs(m.T @ m - np.eye(dim)).max()


def intertwining_error(c, x1, x2, x3):
    """(X1 + X2) C = C X3, infinitesimally, for the three generators."""
    return max(
        np.abs(np.einsum("il,ljk->ijk", a, c) + np.einsum("jl,ilk->ijk", b, c) - np.einsum("ijl,lk->ijk", c, g)).max()
        for a, b, g in zip(x1, x2, x3, strict=True)
    )


@settings(max_examples=150, deadline=None)
@given(degrees, degrees, st.data())
def test_orthogonal_and_intertwining_to_degree_20(l1, l2, data):
    l3 = data.draw(st.sampled_from([l for l in triangle(l1, l2) if l <= 20]))
    c = clebsch_gordan(l1, l2, l3)
    assert c.shape == (2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1)
    assert np.linalg.norm(c) == pytest.approx(1, abs=1e-14)
    assert orthogonality_error(c) < 1e-13
    assert intertwining_error(c, generators(l1), generators(l2), generators(l3)) < 1e-13


@pytest.mark.parametrize("ls", LARGE, ids=str)
def test_orthogonal_and_intertwining_at_large_degree(ls):
    c = clebsch_gordan(*ls)
    assert orthogonality_error(c) < 1e-12
    x1, x2, x3 = (generators(l) for l in ls)
    for a, b, g in zip(x1, x2, x3, strict=True):
        error = np.tensordot(a, c, (1, 0)) + np.tensordot(b, c, (1, 1)).transpose(1, 0, 2) - np.tensordot(c, g, 1)
        assert np.abs(error).max() < 1e-12


@pytest.mark.parametrize(("l1", "l2"), [(0, 4), (2, 2), (3, 5), (12, 7)])
def test_complete(l1, l2):
    """All degrees of the product together are an orthogonal matrix."""
    blocks = [clebsch_gordan(l1, l2, l) * np.sqrt(2 * l + 1) for l in triangle(l1, l2)]
    m = np.concatenate([b.reshape(-1, b.shape[-1]) for b in blocks], axis=1)
    np.testing.assert_allclose(m @ m.T, np.eye(len(m)), atol=1e-14)


@pytest.mark.parametrize("ls", [*itertools.product(range(5), repeat=3), (7, 9, 11), (20, 20, 19)], ids=str)
def test_sparse_holds_every_nonzero_and_obeys_the_selection_rules(ls):
    dense = clebsch_gordan(*ls)
    indices, values = clebsch_gordan_sparse(*ls)
    assert indices.dtype == np.int64
    assert indices.shape == (len(values), 3)
    np.testing.assert_array_equal(indices, np.argwhere(dense))
    np.testing.assert_array_equal(values, dense[tuple(indices.T)])
    m = indices - np.array(ls)
    a, b, c = np.abs(m).T
    assert np.all((c == a + b) | (c == np.abs(a - b)))
    assert np.all(np.sum(m < 0, axis=1) % 2 == sum(ls) % 2)
    # What is kept is not rounding error.
    assert np.abs(values).min(initial=1) > 1e-9


def test_accidental_zero_is_exact():
    """<2 0 3 2 | 3 2> ∝ 3 m² - j (j + 1) = 0 at m = 2, j = 3, though no selection rule forbids it."""
    assert su2_clebsch_gordan(2, 3, 3)[2, 3 + 2, 3 + 2] == 0
    assert su2_clebsch_gordan(3, 3, 2)[3 + 2, 3 - 2, 2] == 0
    assert clebsch_gordan(3, 2, 3)[3 + 2, 2, 3 + 2] == 0


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(0, 9)] * 3), st.permutations(range(3)))
def test_permuting_degrees_transposes(ls, order):
    inversions = sum(order[i] > order[j] for i, j in itertools.combinations(range(3), 2))
    sign = (-1) ** (inversions * sum(ls))
    permuted = clebsch_gordan(*(ls[i] for i in order))
    np.testing.assert_allclose(permuted, sign * clebsch_gordan(*ls).transpose(order), atol=1e-15)


def test_familiar_products():
    epsilon = np.zeros((3, 3, 3))
    for i, j, k in itertools.permutations(range(3)):
        epsilon[i, j, k] = np.linalg.det(np.eye(3)[[i, j, k]])
    np.testing.assert_allclose(clebsch_gordan(1, 1, 1), epsilon / np.sqrt(6), atol=1e-15)
    np.testing.assert_allclose(clebsch_gordan(1, 1, 0)[..., 0], np.eye(3) / np.sqrt(3), atol=1e-15)
    np.testing.assert_allclose(clebsch_gordan(0, 5, 5)[0], np.eye(11) / np.sqrt(11), atol=1e-15)
    # Degree 2 is (xz, xy, y² - (x² + z²)/2, yz, (z² - x²)/2), up to one positive factor.
    x, y, z = r = np.array([0.3, -0.8, 0.5])
    s = np.sqrt(3)
    square = np.array([s * x * z, s * x * y, y * y - (x * x + z * z) / 2, s * y * z, s * (z * z - x * x) / 2])
    product = np.einsum("i,j,ijk->k", r, r, clebsch_gordan(1, 1, 2))
    np.testing.assert_allclose(product, square * np.linalg.norm(product) / np.linalg.norm(square), atol=1e-15)


def test_outside_the_triangle_all_zero():
    assert clebsch_gordan(1, 1, 3).shape == (3, 3, 7)
    assert not clebsch_gordan(1, 1, 3).any()
    assert not clebsch_gordan(4, 1, 2).any()
    indices, values = clebsch_gordan_sparse(1, 1, 3)
    assert indices.shape == (0, 3)
    assert values.shape == (0,)
    assert not su2_clebsch_gordan(1 / 2, 1, 1).any()
    assert su2_clebsch_gordan(1 / 2, 1, 1).shape == (2, 3, 3)


@pytest.mark.parametrize(
    "spins",
    [
        *itertools.product([0, 0.5, 1, 1.5, 2], repeat=3),
        (3, 2, 4),
        (3.5, 2, 2.5),
        (4, 4, 5),
        (6.5, 3, 5.5),
        (2, 12, 11),
    ],
    ids=str,
)
def test_su2_is_sympys(spins):
    pytest.importorskip("sympy")
    from sympy import Rational
    from sympy.physics.wigner import clebsch_gordan as exact

    j1, j2, j3 = (Rational(Fraction(j)) for j in spins)
    c = su2_clebsch_gordan(*spins)
    assert c.shape == (2 * j1 + 1, 2 * j2 + 1, 2 * j3 + 1)
    for i1, i2, i3 in np.ndindex(*c.shape):
        m1, m2, m3 = i1 - j1, i2 - j2, i3 - j3
        allowed = m1 + m2 == m3 and (j1 + j2 + j3).is_integer
        value = float(exact(j1, j2, j3, m1, m2, m3)) if allowed else 0
        assert c[i1, i2, i3] * np.sqrt(float(2 * j3 + 1)) == pytest.approx(value, abs=2e-15)


@pytest.mark.parametrize("spins", [(20, 15, 12), (14.5, 11, 9.5), (30, 30, 31)], ids=str)
def test_su2_is_sympys_at_some_places_of_large_spin(spins):
    pytest.importorskip("sympy")
    from sympy import Rational
    from sympy.physics.wigner import wigner_3j

    j1, j2, j3 = (Rational(Fraction(j)) for j in spins)
    c = su2_clebsch_gordan(*spins)
    rng = np.random.default_rng(0)
    nonzero = np.argwhere(c)
    for i1, i2, i3 in nonzero[rng.integers(len(nonzero), size=12)].tolist():
        m1, m2, m3 = i1 - j1, i2 - j2, i3 - j3
        exact = (-1) ** int(j1 - j2 + m3) * wigner_3j(j1, j2, j3, m1, m2, -m3)
        # Relative: also the exponentially small ones, outside the oscillating region, have all their digits.
        assert c[i1, i2, i3] == pytest.approx(float(exact.evalf(30)), rel=1e-11, abs=1e-16)


@pytest.mark.parametrize("j", [0, 0.5, 1, 1.5, 4, 10.5])
def test_su2_generators(j):
    x = su2_generators(j)
    assert_lie_algebra(x, j)
    np.testing.assert_allclose(np.diag(x[1]), 1j * np.arange(-j, j + 1))


@pytest.mark.parametrize("l", [0, 1, 2, 7, 30])
def test_generators(l):
    x = generators(l)
    assert x.dtype == np.float64
    assert_lie_algebra(x, l)
    np.testing.assert_array_equal(x, -x.transpose(0, 2, 1))
    q = change_basis_real_to_complex(l)
    np.testing.assert_allclose(q @ q.conj().T, np.eye(2 * l + 1), atol=1e-15)
    np.testing.assert_allclose(q @ x, su2_generators(l) @ q, atol=1e-13)


def assert_lie_algebra(x, j):
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        np.testing.assert_allclose(x[a] @ x[b] - x[b] @ x[a], x[c], atol=1e-13 * (1 + j) ** 2)
    casimir = -np.einsum("aij,ajk->ik", x, x)
    np.testing.assert_allclose(casimir, j * (j + 1) * np.eye(x.shape[-1]), atol=1e-13 * (1 + j) ** 2)


@pytest.mark.parametrize("j", [0, 0.5, 3, 5.5])
def test_su2_intertwining(j):
    for j2 in (0.5, 2):
        for j3 in np.arange(abs(j - j2), j + j2 + 1):
            c = su2_clebsch_gordan(j, j2, j3)
            # C of <j1 m1 j2 m2|j3 m3>: (X1 + X2) C = C X3.
            assert intertwining_error(c, su2_generators(j), su2_generators(j2), su2_generators(j3)) < 1e-14
            assert orthogonality_error(c) < 1e-14


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: clebsch_gordan(1, -2, 1), ValueError, "l2 .* got -2"),
        (lambda: clebsch_gordan(1.0, 2, 1), TypeError, "l1 .* got 1.0"),
        (lambda: clebsch_gordan(1, 2, True), TypeError, "l3 .* got True"),
        (lambda: clebsch_gordan(1, "2", 1), TypeError, "l2 .* got '2'"),
        (lambda: clebsch_gordan_sparse(1, 1, None), TypeError, "l3 .* got None"),
        (lambda: clebsch_gordan(np.arange(3), 1, 1), TypeError, "l1 .* got array"),
        (lambda: generators(-1), ValueError, "l .* got -1"),
        (lambda: generators(1.5), TypeError, "l .* got 1.5"),
        (lambda: change_basis_real_to_complex(-3), ValueError, "l .* got -3"),
        (lambda: su2_generators(0.3), ValueError, "j .* got 0.3"),
        (lambda: su2_generators(float("nan")), ValueError, "j .* got nan"),
        (lambda: su2_generators(1j), TypeError, "j .* got 1j"),
        (lambda: su2_clebsch_gordan(1, -0.5, 1), ValueError, "j2 .* got -0.5"),
        (lambda: su2_clebsch_gordan(1, 1, "1"), TypeError, "j3 .* got '1'"),
        (lambda: su2_clebsch_gordan(np.True_, 1, 1), TypeError, "j1 .* got np.True_"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_integers_of_any_kind():
    np.testing.assert_array_equal(clebsch_gordan(np.int32(1), np.uint8(2), np.array(3)), clebsch_gordan(1, 2, 3))
    np.testing.assert_array_equal(su2_generators(Fraction(3, 2)), su2_generators(1.5))


def test_results_are_shared_and_read_only():
    for result in (
        clebsch_gordan(1, 1, 2),
        *clebsch_gordan_sparse(1, 2, 2),
        generators(2),
        su2_generators(1),
    ):
        assert not result.flags.writeable
    assert clebsch_gordan(1, 1, 2) is clebsch_gordan(1, 1, 2)


def test_sparse_of_huge_degree():
    indices, values = clebsch_gordan_sparse(150, 200, 300)
    assert np.sum(values**2) == pytest.approx(1, abs=1e-13)
    assert np.all(indices.max(axis=0) == [300, 400, 600])


def test_needs_numpy_only():
    code = """if True:
        import sys
        from irreps_core import clebsch_gordan
        clebsch_gordan(2, 2, 2)
        assert not {"jax", "scipy", "sympy"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
