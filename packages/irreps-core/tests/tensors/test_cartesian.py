"""Cartesian tensors: the change of basis is what its definition says, for many symmetries; Voigt's rules."""

import itertools
import pickle

import numpy as np
import pytest

from irreps_core import (
    CartesianTensor,
    Irrep,
    Irreps,
    IrrepsArray,
    clear_caches,
    from_voigt,
    parse_symmetry,
    symmetric_basis,
    to_voigt,
)

FORMULAS = {
    "i": "1o",
    "ij": "0e+1e+2e",
    "ij=ji": "0e+2e",
    "ij=-ji": "1e",
    "ijk": "0o+3x1o+2x2o+3o",
    "ijk=jik": "2x1o+2o+3o",
    "ijk=ikj": "2x1o+2o+3o",
    "ijk=jki": "0o+1o+3o",
    "ijk=-jik": "0o+1o+2o",
    "ijk=jik=ikj": "1o+3o",
    "ijk=-jik=-ikj": "0o",
    "ijkl=jikl=ijlk": "2x0e+1e+3x2e+3e+4e",
    "ijkl=jikl=klij": "2x0e+2x2e+4e",
    "ijkl=-jikl=-ijlk=klij": "0e+2e",
    "ijkl=jikl=ikjl=ijlk": "0e+2e+4e",
    "ij=-ij": "",
    "ijk=-jki": "",
}


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def rotation(angles=(0.3, 1.1, -0.8)):
    return Irrep("1e").D_from_angles(*angles)


def rotate(tensor, r, n):
    letters = "abcdef"[:n]
    new = letters.upper()
    factors = ",".join(u + l for u, l in zip(new, letters, strict=True))
    return np.einsum(f"...{letters},{factors}->...{new}", tensor, *[r] * n)


def symmetrize(tensor, formula):
    """Average over the group, written out: by closing the set of its members."""
    n = len(formula.split("=")[0])
    _, group = parse_symmetry(formula)
    lead = tensor.ndim - n
    axes = tuple(range(lead))
    terms = [s * tensor.transpose(*axes, *(lead + i for i in p)) for s, p in group]
    return sum(terms) / len(terms)


@pytest.mark.parametrize(("formula", "irreps"), FORMULAS.items())
def test_irreps(formula, irreps):
    assert CartesianTensor(formula).irreps == Irreps(irreps).regroup()


@pytest.mark.parametrize("formula", FORMULAS)
def test_equivariant_isometry_of_exactly_the_symmetric_tensors(formula):
    kind = CartesianTensor(formula)
    n = len(kind.indices)
    q = kind.change_of_basis.reshape(3**n, -1)
    np.testing.assert_allclose(q.T @ q, np.eye(kind.irreps.dim), atol=1e-14)
    # Q Qᵀ is the projector on the tensors that obey the formula: no more and no less.
    eye = np.eye(3**n).reshape(-1, *(3,) * n)
    np.testing.assert_allclose(q @ q.T, symmetrize(eye, formula).reshape(3**n, -1), atol=1e-14)

    tensor = symmetrize(random((4, *(3,) * n)), formula)
    x = kind.to_irreps(tensor)
    assert isinstance(x, IrrepsArray)
    np.testing.assert_allclose(kind.from_irreps(x), tensor, atol=1e-14)
    for r, d in [
        (rotation(), kind.irreps.D_from_angles(0.3, 1.1, -0.8)),
        (-np.eye(3), kind.irreps.D_from_angles(0.0, 0.0, 0.0, k=1)),
    ]:
        np.testing.assert_allclose(kind.to_irreps(rotate(tensor, r, n)).array, x.array @ d.T, atol=1e-13)


def test_familiar_parts():
    t = random((3, 3))
    assert CartesianTensor("ij=ji").to_irreps(t).array[0] == pytest.approx(np.trace(t) / np.sqrt(3))
    axial = np.array([t[1, 2] - t[2, 1], t[2, 0] - t[0, 2], t[0, 1] - t[1, 0]]) / np.sqrt(2)
    np.testing.assert_allclose(CartesianTensor("ij=-ji").to_irreps(t).array, axial)
    x, y, z = random(3)
    square = CartesianTensor("ij=ji").to_irreps(np.multiply.outer([x, y, z], [x, y, z])).array[1:]
    s = np.sqrt(2)
    expected = [s * x * z, s * x * y, (2 * y * y - x * x - z * z) / np.sqrt(6), s * y * z, (z * z - x * x) / s]
    np.testing.assert_allclose(square, expected)


@pytest.mark.parametrize("formula", ["ij=ji", "ijk=jik", "ijkl=jikl=klij"])
def test_the_basis_depends_on_the_formula_alone(formula):
    first = CartesianTensor(formula).change_of_basis.copy()
    clear_caches()
    np.testing.assert_array_equal(CartesianTensor(formula).change_of_basis, first)


def test_equal_symmetries_written_otherwise_have_one_basis():
    a = CartesianTensor("ijkl=jikl=klij").change_of_basis
    b = CartesianTensor("abcd = cdab = abdc = bacd").change_of_basis
    np.testing.assert_allclose(a, b, atol=1e-14)


@pytest.mark.parametrize("formula", ["ij=ji", "ijk=-jik"])
def test_jax_jit_grad_vmap_and_float32(formula):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    kind = CartesianTensor(formula)
    n = len(kind.indices)
    t = random((5, *(3,) * n))
    expected = kind.to_irreps(t).array
    x = jax.jit(kind.to_irreps)(jnp.asarray(t))
    assert isinstance(x.array, jax.Array)
    np.testing.assert_allclose(x.array, expected, atol=1e-14)
    np.testing.assert_allclose(jax.vmap(kind.to_irreps)(jnp.asarray(t)).array, expected, atol=1e-14)
    np.testing.assert_allclose(kind.from_irreps(x), kind.from_irreps(expected), atol=1e-14)
    # d/dT of |x|² / 2 is the symmetric part of T.
    gradient = jax.grad(lambda t: jnp.sum(kind.to_irreps(t).array ** 2) / 2)(jnp.asarray(t))
    np.testing.assert_allclose(gradient, symmetrize(t, formula), atol=1e-14)
    for xp in (np, jnp):
        y = kind.to_irreps(xp.asarray(t, dtype=np.float32))
        assert y.dtype == np.float32
        assert kind.from_irreps(y).dtype == np.float32
        np.testing.assert_allclose(y.array, expected, atol=1e-6)


def test_strict_dtype_promotion_and_half_precision():
    jax = pytest.importorskip("jax")
    kind = CartesianTensor("ij=ji")
    with jax.numpy_dtype_promotion("strict"):
        for dtype in (jax.numpy.bfloat16, jax.numpy.float16, jax.numpy.float32):
            t = jax.numpy.ones((4, 3, 3), dtype)
            assert kind.from_irreps(kind.to_irreps(t)).dtype == dtype
            assert from_voigt(to_voigt(t, "strain"), "strain").dtype == dtype


def test_value_semantics():
    assert CartesianTensor("ij=ji") == CartesianTensor("ij=ji") != CartesianTensor("ij")
    assert len({CartesianTensor("ij=ji"), CartesianTensor("ij=ji")}) == 1
    copy = pickle.loads(pickle.dumps(CartesianTensor("ij=ji")))
    assert copy == CartesianTensor("ij=ji")
    assert copy.irreps == "0e+2e"
    assert repr(CartesianTensor("ij=ji")) == "CartesianTensor(formula='ij=ji')"
    with pytest.raises(AttributeError):
        CartesianTensor("ij").formula = "ij=ji"


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("", ValueError, "such as 'ij=-ji'.*got ''"),
        ("-ij=ji", ValueError, "got '-ij=ji'"),
        ("ii", ValueError, "different letters"),
        ("ij=jk", ValueError, "'jk' is not a permutation of the indices 'ij'"),
        ("ij=", ValueError, "'' is not a permutation"),
        ("ij=ijj", ValueError, "'ijj' is not"),
        ("i1=1i", ValueError, "letters"),
        (2, TypeError, "got 2"),
    ],
)
def test_bad_formula(formula, error, message):
    with pytest.raises(error, match=message):
        CartesianTensor(formula)


def test_bad_arrays():
    kind = CartesianTensor("ij=ji")
    with pytest.raises(ValueError, match=r"\(\.\.\., 3, 3\).*got \(3, 4\)"):
        kind.to_irreps(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        kind.to_irreps(np.zeros(3))
    with pytest.raises(ValueError, match=r"expects 1x0e\+1x2e.*got 6x0e"):
        kind.from_irreps(IrrepsArray("6x0e", np.zeros(6)))
    with pytest.raises(ValueError, match=r"got .* shape \(2, 5\)"):
        kind.from_irreps(np.zeros((2, 5)))


# The basis for tensors of any irreps.


@pytest.mark.parametrize(
    ("irreps", "formula"),
    [
        ("0e+1o", "ij=ji"),
        ("2x1o+0o", "ijk=jik=ikj"),
        ("2e", "ijk=-jik=-ikj"),
        ("0e+1o+2e", "ijk=jik=ikj"),
        ("1o+1e", "ij=-ji"),
        ("3o", "ij=ji"),
    ],
)
def test_symmetric_basis_of_any_irreps(irreps, formula):
    irreps = Irreps(irreps)
    indices, group = parse_symmetry(formula)
    n, d = len(indices), irreps.dim
    basis = symmetric_basis((irreps,) * n, group)
    flat = np.concatenate([np.moveaxis(b, 0, -2).reshape(d**n, -1) for b in basis.values()], axis=1)
    eye = np.eye(d**n).reshape(-1, *(d,) * n)
    np.testing.assert_allclose(flat @ flat.T, symmetrize(eye, formula).reshape(d**n, -1), atol=1e-13)
    np.testing.assert_allclose(flat.T @ flat, np.eye(flat.shape[1]), atol=1e-13)
    assert list(basis) == sorted(basis)
    angles = (0.5, 1.4, 2.2)
    big = irreps.D_from_angles(*angles, k=1)
    for ir, copies in basis.items():
        moved = copies
        for axis in range(1, n + 1):
            moved = np.moveaxis(np.tensordot(big, moved, (1, axis)), 0, axis)
        np.testing.assert_allclose(moved, copies @ ir.D_from_angles(*angles, k=1), atol=1e-13)


def test_symmetric_basis_of_different_irreps_is_the_tensor_product():
    basis = symmetric_basis((Irreps("1o"), Irreps("2e")), parse_symmetry("ij")[1])
    assert {ir: b.shape for ir, b in basis.items()} == {
        l: (1, 3, 5, 2 * l.l + 1) for l in map(Irrep, ["1o", "2o", "3o"])
    }
    with pytest.raises(ValueError, match="exchanged"):
        symmetric_basis((Irreps("1o"), Irreps("2e")), parse_symmetry("ij=ji")[1])
    with pytest.raises(ValueError, match="one index"):
        symmetric_basis((), frozenset())


# Voigt


def symmetric(n, seed=0):
    t = random((2,) + (3,) * n, seed)
    return symmetrize(t, "ij=ji" if n == 2 else "ijkl=jikl=ijlk")


@pytest.mark.parametrize("kind", ["stress", "strain", "stiffness", "compliance"])
def test_voigt_and_back(kind):
    t = symmetric(2 if kind in ("stress", "strain") else 4)
    v = to_voigt(t, kind)
    assert v.shape == ((2, 6) if t.ndim == 3 else (2, 6, 6))
    np.testing.assert_allclose(from_voigt(v, kind), t, atol=1e-15)


@pytest.mark.parametrize("kind", ["stress", "strain", "stiffness", "compliance"])
def test_voigt_on_jax(kind):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    t = symmetric(2 if kind in ("stress", "strain") else 4)
    v = to_voigt(t, kind)
    on_jax = jax.jit(lambda t: to_voigt(t, kind))(jnp.asarray(t, jnp.float32))
    assert on_jax.dtype == jnp.float32
    np.testing.assert_allclose(on_jax, v, atol=1e-6)
    back = jax.vmap(lambda v: from_voigt(v, kind))(on_jax)
    np.testing.assert_allclose(back, t, atol=1e-6)


def test_voigt_elements():
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    t, c = symmetric(2)[0], symmetric(4)[0]
    for place, (i, j) in enumerate(pairs):
        factor = 1 if i == j else 2
        assert to_voigt(t, "stress")[place] == t[i, j]
        assert to_voigt(t, "strain")[place] == factor * t[i, j]
        for other, (k, l) in enumerate(pairs):
            both = factor * (1 if k == l else 2)
            assert to_voigt(c, "stiffness")[place, other] == pytest.approx(c[i, j, k, l])
            assert to_voigt(c, "compliance")[place, other] == pytest.approx(both * c[i, j, k, l])


def test_hookes_law_in_voigts_notation():
    c, strain = symmetric(4)[0], symmetric(2, seed=1)[0]
    stress = np.einsum("ijkl,kl->ij", c, strain)
    voigt = to_voigt(c, "stiffness")
    np.testing.assert_allclose(voigt @ to_voigt(strain, "strain"), to_voigt(stress, "stress"))
    energy = np.sum(stress * strain)
    assert to_voigt(stress, "stress") @ to_voigt(strain, "strain") == pytest.approx(energy)
    compliance = from_voigt(np.linalg.inv(voigt), "compliance")
    np.testing.assert_allclose(np.einsum("ijkl,kl->ij", compliance, stress), strain, atol=1e-12)


def test_voigt_takes_the_symmetric_part_and_integers():
    t = np.arange(9).reshape(3, 3)
    np.testing.assert_array_equal(to_voigt(t, "stress"), [0, 4, 8, 6, 4, 2])
    assert to_voigt(t, "stress").dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_voigt(np.zeros((3, 3)), "mandel"), "one of 'stress', 'strain'.*got 'mandel'"),
        (lambda: to_voigt(np.zeros((3, 3)), "stiffness"), r"\(\.\.\., 3, 3, 3, 3\), got \(3, 3\)"),
        (lambda: to_voigt(np.zeros(6), "stress"), r"got \(6,\)"),
        (lambda: from_voigt(np.zeros((3, 3)), "stress"), r"\(\.\.\., 6\), got \(3, 3\)"),
        (lambda: from_voigt(np.zeros(6), "compliance"), r"\(\.\.\., 6, 6\), got \(6,\)"),
    ],
)
def test_bad_voigt(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_elasticity_of_a_cubic_crystal_has_three_constants():
    """What is invariant under the cube's rotations: the two scalars and one more, of degree 4."""
    kind = CartesianTensor("ijkl=jikl=klij")
    signs = itertools.product([1, -1], repeat=3)
    turns = [np.eye(3)[list(p)] * s for s in signs for p in itertools.permutations(range(3))]
    turns = np.stack([r for r in turns if np.linalg.det(r) > 0])
    assert len(turns) == 24
    average = np.mean(kind.irreps.D_from_matrix(turns), axis=0)
    assert np.trace(average) == pytest.approx(3)


def test_symmetric_basis_up_to_an_order():
    irreps = Irreps("1o + 0e")
    basis = symmetric_basis((irreps,) * 2, parse_symmetry("ij=ji")[1], None, 1)
    assert {ir: len(copies) for ir, copies in basis.items()} == {Irrep("0e"): 1, Irrep("1o"): 1}
    np.testing.assert_allclose(basis[Irrep("1o")][0, 3, :3], np.eye(3) / np.sqrt(2))


@pytest.mark.parametrize(("irreps", "formula"), [("1o", "ijk=jki"), ("0e+1o", "ijk=jik=ikj"), ("1o+2e", "ij=-ji")])
def test_symmetric_basis_of_some_irreps_is_that_of_all(irreps, formula):
    letters, group = parse_symmetry(formula)
    every = symmetric_basis((Irreps(irreps),) * len(letters), group)
    for ir, copies in every.items():
        (found,) = symmetric_basis((Irreps(irreps),) * len(letters), group, frozenset({ir})).items()
        assert found[0] == ir
        np.testing.assert_allclose(found[1], copies, atol=1e-14)
    assert symmetric_basis((Irreps(irreps),) * len(letters), group, frozenset()) == {}
