"""Conventions against textbook formulas, and against the software that is named."""

import itertools
import os
from math import factorial

import numpy as np
import pytest

from irreps_core import Irrep, Irreps, change_of_basis, clebsch_gordan, clebsch_gordan_sign

NAMES = ["e3nn", "e3nn-0.4", "e3x", "pyscf", "scipy", "sphericart"]
LMAX = 6
RNG = np.random.default_rng(7)
POINTS = RNG.normal(size=(20, 3))
POINTS /= np.linalg.norm(POINTS, axis=1, keepdims=True)
POINTS[:3] = np.eye(3)


def condon_shortley(l, m, points):
    """Y_l^m, from P_l^m = (-1)^m (1 - u²)^(m/2) d^m P_l / du^m; polar axis z."""
    if m < 0:
        return (-1) ** m * condon_shortley(l, -m, points).conj()
    x, y, z = points.T
    legendre = np.polynomial.legendre.Legendre.basis(l).deriv(m)(z) if m <= l else 0
    norm = np.sqrt((2 * l + 1) / (4 * np.pi) * factorial(l - m) / factorial(l + m))
    return norm * (-1) ** m * legendre * (x + 1j * y) ** m


def textbook(l, m, points):
    """Real harmonics without the Condon-Shortley phase."""
    y = (-1) ** m * np.sqrt(2) * condon_shortley(l, abs(m), points)
    return condon_shortley(l, 0, points).real if m == 0 else (y.real if m > 0 else y.imag)


def harmonics(name, l):
    """Components of degree l at POINTS, shape (points, 2l+1), orthonormal on the sphere, by formula."""
    order = list(range(-l, l + 1))
    if name == "scipy":
        return np.stack([condon_shortley(l, m, POINTS) for m in order], axis=1)
    points = POINTS[:, [2, 0, 1]] if name.startswith("e3nn") else POINTS
    if name == "e3x":
        order = [*itertools.chain.from_iterable((m, -m) for m in range(l, 0, -1)), 0]
    if name == "pyscf" and l == 1:
        order = [1, -1, 0]
    return np.stack([textbook(l, m, points) for m in order], axis=1)


@pytest.mark.parametrize("l", range(LMAX + 1))
@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_textbook_formulas(source, target, l):
    b = change_of_basis(source, target, l)
    np.testing.assert_allclose(harmonics(source, l) @ b.T, harmonics(target, l), atol=1e-13)
    assert b.dtype == (np.complex128 if "scipy" in (source, target) else np.float64)


@pytest.mark.parametrize("l", [0, 1, 2, 9, 30])
def test_group_laws(l):
    for a, b in itertools.product(NAMES, NAMES):
        to, back = change_of_basis(a, b, l), change_of_basis(b, a, l)
        np.testing.assert_allclose(to @ back, np.eye(2 * l + 1), atol=1e-13)
        np.testing.assert_allclose(to, back.conj().T, atol=1e-13)
        np.testing.assert_allclose(change_of_basis("e3x", b, l) @ change_of_basis(a, "e3x", l), to, atol=1e-13)


def test_vectors():
    """In degree 1, the components are Cartesian ones in some order."""
    v = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(change_of_basis("e3nn", "sphericart", 1) @ v, [2, 3, 1], atol=1e-14)
    for name in ("pyscf", "e3x", "e3nn-0.4"):
        np.testing.assert_allclose(change_of_basis("e3nn", name, 1) @ v, v, atol=1e-14)
    spherical = np.array([(1 - 2j) / np.sqrt(2), 3, -(1 + 2j) / np.sqrt(2)])
    np.testing.assert_allclose(change_of_basis("e3nn", "scipy", 1) @ v, spherical, atol=1e-14)


def test_irreps_are_blocks():
    irreps = Irreps("2x0e+1o+2x2e")
    b = change_of_basis("e3nn", "scipy", "2x0e+1o+2x2e")
    for (mul, ir), place in zip(irreps, irreps.slices(), strict=True):
        block = np.kron(np.eye(mul), change_of_basis("e3nn", "scipy", ir.l))
        np.testing.assert_array_equal(b[place, place], block)
        b[place, place] = 0
    assert not b.any()
    np.testing.assert_array_equal(
        change_of_basis("e3x", "e3nn", Irrep("2o")), change_of_basis("e3x", "e3nn", np.int64(2))
    )
    assert change_of_basis("e3x", "scipy", "").shape == (0, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: change_of_basis("e3nn", "orca", 1), ValueError, "'orca': expected one of e3nn, e3nn-0.4, e3x"),
        (lambda: change_of_basis("", "e3nn", 1), ValueError, "unknown convention ''"),
        (lambda: change_of_basis("e3nn", "e3x", -1), ValueError, "got -1"),
        (lambda: change_of_basis("e3nn", "e3x", True), TypeError, "got True"),
        (lambda: change_of_basis("e3nn", "e3x", "1y2"), ValueError, "1y2"),
        (lambda: change_of_basis("e3nn", "e3x", 1.5), ValueError, "1.5"),
        (lambda: clebsch_gordan_sign("e3x", 1, 1, 1), ValueError, "expected one of e3nn, e3nn-0.4"),
        (lambda: clebsch_gordan_sign("e3nn", 1, 1, 3), ValueError, r"\(1, 1, 3\)"),
        (lambda: clebsch_gordan_sign("e3nn", 1, -1, 3), ValueError, "l2"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_signs_of_e3nn_0_4():
    for ls in itertools.product(range(5), repeat=3):
        if not abs(ls[0] - ls[1]) <= ls[2] <= ls[0] + ls[1]:
            continue
        assert clebsch_gordan_sign("e3nn", *ls) == 1
        c = clebsch_gordan(*sorted(ls))
        decisive = c[tuple(sorted(ls))] or c[c != 0][0]
        assert clebsch_gordan_sign("e3nn-0.4", *ls) * decisive > 0
    # The first of them, as found in e3nn 0.4.4.
    minus = [(1, l, l) for l in range(2, 9)] + [(3, 4, 6), (3, 5, 7), (3, 6, 8), (4, 4, 5), (4, 5, 6)]
    assert all(clebsch_gordan_sign("e3nn-0.4", *ls) == -1 for ls in minus)
    assert all(clebsch_gordan_sign("e3nn-0.4", *ls) == 1 for ls in [(1, 1, 1), (1, 1, 2), (2, 2, 2), (1, 2, 3)])


# The software itself, where it is installed.


def compare(name, theirs):
    """`theirs`: (points, (LMAX+1)²), degree after degree."""
    for l, y in enumerate(np.split(theirs, [l * l for l in range(1, LMAX + 1)], axis=1)):
        b = change_of_basis(name, "sphericart", l)
        np.testing.assert_allclose(y @ b.T, harmonics("sphericart", l), atol=1e-12, err_msg=f"degree {l}")


def test_scipy():
    special = pytest.importorskip("scipy.special")
    x, y, z = POINTS.T
    theta, phi = np.arccos(z), np.arctan2(y, x)
    columns = [special.sph_harm_y(l, m, theta, phi) for l in range(LMAX + 1) for m in range(-l, l + 1)]
    compare("scipy", np.stack(columns, axis=1))


def test_sphericart():
    sphericart = pytest.importorskip("sphericart.jax")
    compare("sphericart", np.asarray(sphericart.spherical_harmonics(POINTS, LMAX)))


def test_e3x():
    e3x = pytest.importorskip("e3x")
    compare("e3x", np.asarray(e3x.so3.spherical_harmonics(POINTS, LMAX, normalization="orthonormal")))


def test_pyscf():
    pyscf = pytest.importorskip("pyscf")
    shells = [[l, [1.0, 1.0]] for l in range(LMAX + 1)]
    molecule = pyscf.gto.M(atom="He", basis={"He": shells}, unit="Bohr", verbose=0)
    orbitals = molecule.eval_gto("GTOval_sph", POINTS)  # shells by degree; radial parts are constant on the sphere
    for l, y in enumerate(np.split(orbitals, [l * l for l in range(1, LMAX + 1)], axis=1)):
        b = change_of_basis("pyscf", "e3nn", l)
        ours = harmonics("e3nn", l)
        np.testing.assert_allclose(y @ b.T / np.linalg.norm(y), ours / np.linalg.norm(ours), atol=1e-12)


@pytest.fixture
def o3():
    torch = pytest.importorskip("torch")
    # e3nn 0.4 stores its table as a pickle, which torch from 2.6 on reads only if told so.
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    pytest.importorskip("e3nn", exc_type=ImportError)
    from e3nn import o3

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield o3
    torch.set_default_dtype(before)


@pytest.mark.filterwarnings("default")  # theirs
def test_torch_e3nn_of_either_convention(o3):
    import e3nn
    import torch

    name = "e3nn-0.4" if e3nn.__version__.startswith("0.4") else "e3nn"
    columns = [
        o3.spherical_harmonics(l, torch.tensor(POINTS), normalize=True, normalization="integral").numpy()
        for l in range(LMAX + 1)
    ]
    compare(name, np.concatenate(columns, axis=1))
    for ls in itertools.product(range(12 if name == "e3nn-0.4" else 6), repeat=3):
        if abs(ls[0] - ls[1]) <= ls[2] <= ls[0] + ls[1]:
            sign = clebsch_gordan_sign(name, *ls)
            np.testing.assert_allclose(o3.wigner_3j(*ls).numpy(), sign * clebsch_gordan(*ls), atol=1e-8, err_msg=ls)


def test_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    irreps = e3nn.Irreps.spherical_harmonics(LMAX)
    compare("e3nn", np.asarray(e3nn.spherical_harmonics(irreps, POINTS, True, "integral").array))
