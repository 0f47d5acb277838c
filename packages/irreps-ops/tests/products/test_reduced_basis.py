"""Bases of symmetric tensors: orthonormality, symmetry, equivariance, how many by characters, and which."""

import itertools

import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core import Irrep, Irreps, parse_symmetry, perm

CASES = [
    ("ij=ji", {"i": "0e + 2x1o"}),
    ("ij=-ji", {"j": "1o + 2e"}),
    ("ijk=jki", {"k": "1o + 0o"}),
    ("ijk=-jik=-ikj", {"i": "2e"}),
    ("ijk=jik=ikj", {"i": "1e + 0e + 1o"}),
    ("ijkl=jikl=klij", {"i": "1o"}),
    ("ijkl=-jikl=-ijlk=klij", {"l": "1o"}),
    ("ijk=-jik", {"i": "1o + 2x0e", "k": "2x1e + 0o"}),
    ("ijk = ikj", {"i": "0e + 1o", "j": "1e + 2o"}),
    ("ij", {"i": "2x1o", "j": "0e + 2o"}),
    ("i", {"i": "1o + 0e + 1o"}),
]


def irreps_of(formula, given):
    letters, group = parse_symmetry(formula)
    chosen = dict(given)
    for (_, p), i in itertools.product(group, given):
        chosen[letters[p[letters.index(i)]]] = given[i]
    return [Irreps(chosen[i]) for i in letters], group


def character(irreps, angle, k):
    """Trace of the rotation by an angle, times k inversions."""
    m = np.arange(-irreps.lmax, irreps.lmax + 1)
    return sum(mul * ir.p**k * np.sum(np.cos(m[abs(m) <= ir.l] * angle)) for mul, ir in irreps)


def multiplicity(ir, irreps, group):
    """How often an irrep occurs among the symmetric tensors: the inner product of characters, as an integral over O(3).

    The trace of a permutation times g on tensors is the product over its cycles of the character of g^length.
    """
    n_angles = 2 * (sum(i.lmax for i in irreps) + ir.l) + 3
    angles = 2 * np.pi * np.arange(n_angles) / n_angles
    total = 0.0
    for angle, k, (sign, p) in itertools.product(angles, (0, 1), group):
        cycles = perm.to_cycles(p)
        cycles |= {(i,) for i in set(range(len(p))).difference(*cycles)}
        trace = np.prod([character(irreps[c[0]], len(c) * angle, len(c) * k) for c in cycles])
        measure = (1 - np.cos(angle)) / n_angles / 2
        total += measure * sign * trace * character(Irreps(ir), angle, k) / len(group)
    return total


@pytest.mark.parametrize(("formula", "given"), CASES)
def test_is_its_definition(formula, given):
    irreps, group = irreps_of(formula, given)
    n, q = len(irreps), irr.reduced_tensor_product_basis(formula, **given)
    assert q.shape == (*(i.dim for i in irreps), q.irreps.dim)
    assert q.irreps == q.irreps.regroup()
    flat = q.array.reshape(-1, q.irreps.dim)
    np.testing.assert_allclose(flat.T @ flat, np.eye(q.irreps.dim), atol=1e-13)
    for sign, p in group:
        np.testing.assert_allclose(sign * q.array.transpose(*p, n), q.array, atol=1e-13)
    moved = q.array
    for axis, i in enumerate(irreps):
        moved = np.moveaxis(np.tensordot(i.D_from_angles(0.5, 1.4, 2.2, k=1), moved, (0, axis)), 0, axis)
    np.testing.assert_allclose(moved, q.transform_by_angles(0.5, 1.4, 2.2, k=1).array, atol=1e-12)


@pytest.mark.parametrize(("formula", "given"), CASES)
def test_are_all_that_there_are(formula, given):
    irreps, group = irreps_of(formula, given)
    found = dict((ir, mul) for mul, ir in irr.reduced_tensor_product_basis(formula, **given).irreps)  # noqa: C402
    for l, p in itertools.product(range(sum(i.lmax for i in irreps) + 1), (1, -1)):
        ir = Irrep(l, p)
        assert multiplicity(ir, irreps, group) == pytest.approx(found.get(ir, 0), abs=1e-9), ir


@pytest.mark.parametrize(
    ("basis", "sign"),
    [(irr.reduced_symmetric_tensor_product_basis, 1), (irr.reduced_antisymmetric_tensor_product_basis, -1)],
)
@pytest.mark.parametrize(("irreps", "degree"), [("0e + 1o", 3), ("1e + 0o", 4), ("2e", 2), ("1o + 2e", 1)])
def test_powers(basis, sign, irreps, degree):
    q = basis(irreps, degree)
    group = [(1 if sign == 1 else perm.sign(p), p) for p in perm.group(degree)]
    d = Irreps(irreps).dim
    eye = np.eye(d**degree).reshape(*(d,) * degree, -1)
    average = sum(s * eye.transpose(*p, degree) for s, p in group) / len(group)
    flat = q.array.reshape(d**degree, -1)
    np.testing.assert_allclose(flat @ flat.T, average.reshape(d**degree, -1), atol=1e-13)
    letters = "ijkl"[:degree]
    others = {("-" if s < 0 else "") + "".join(letters[i] for i in p) for s, p in group}
    formula = "=".join([letters, *sorted(others - {letters})])
    np.testing.assert_array_equal(irr.reduced_tensor_product_basis(formula, i=irreps).array, q.array)


def test_known_tensors():
    identity = irr.reduced_symmetric_tensor_product_basis("1o", 2, keep_ir="0e")
    np.testing.assert_allclose(identity.array[..., 0], np.eye(3) / np.sqrt(3), atol=1e-15)
    volume = irr.reduced_antisymmetric_tensor_product_basis("1o", 3)
    assert volume.irreps == "0o"
    e = np.array([np.linalg.det(np.eye(3)[list(p)]) for p in itertools.product(range(3), repeat=3)]).reshape(3, 3, 3)
    np.testing.assert_allclose(volume.array[..., 0], e / np.sqrt(6), atol=1e-15)
    assert irr.reduced_tensor_product_basis("ij=-ij", i="1o", j="0e").shape == (3, 1, 0)


@pytest.mark.parametrize("degree", range(1, 7))
def test_a_trivial_index_gives_exactly_one(degree):
    np.testing.assert_array_equal(irr.reduced_symmetric_tensor_product_basis("0e", degree).array, 1)
    np.testing.assert_array_equal(irr.reduced_symmetric_tensor_product_basis("0e + 1e", 1).array, np.eye(4))


def test_without_symmetry_it_is_the_tensor_product():
    irreps = ["2x1o + 0e", "2e + 3x1o"]
    q = irr.reduced_tensor_product_basis(irreps)
    x, y = (ic.normal(i, np.random.default_rng(n)) for n, i in enumerate(irreps))
    x, y = x.regroup(), y.regroup()
    q = irr.reduced_tensor_product_basis([x.irreps, y.irreps])
    z = irr.tensor_product(x, y)
    assert repr(q.irreps) == repr(z.irreps)
    np.testing.assert_allclose(np.einsum("i,j,ijk->k", x.array, y.array, q.array), z.array, atol=1e-13)
    assert irr.reduced_tensor_product_basis(tuple(irreps)).irreps == z.irreps


@pytest.mark.parametrize(("formula", "given"), CASES[:6])
@pytest.mark.parametrize("keep", ["0e", ["1o", Irrep("2e")], Irreps("1e + 7e"), ""])
def test_keep_ir(formula, given, keep):
    every = irr.reduced_tensor_product_basis(formula, **given)
    some = irr.reduced_tensor_product_basis(formula, keep_ir=keep, **given)
    expected = every.filter(keep)
    assert some.irreps == expected.irreps
    np.testing.assert_allclose(some.array, expected.array, atol=1e-14)


@pytest.mark.parametrize(
    ("formula", "given"),
    [
        ("ij=ji", {"i": "0e + 2x1o + 2e"}),
        ("ijk=-jik", {"i": "0e + 1o", "k": "1o"}),
        ("ijk", {"i": "1o + 0e", "j": "0e + 2e", "k": "1o"}),
    ],
)
def test_max_order(formula, given):
    irreps, _ = irreps_of(formula, given)
    degrees = [np.repeat([ir.l for _, ir in i], [item.dim for item in i]) for i in irreps]
    total = sum(np.meshgrid(*degrees, indexing="ij"))
    every = irr.reduced_tensor_product_basis(formula, **given)
    for most in range(total.max() + 2):
        some = irr.reduced_tensor_product_basis(formula, max_order=most, **given)
        assert np.all(some.array[total > most] == 0)
        # The tensors that have only those components, made from all.
        flat = np.where(total[..., None] > most, 0, every.array).reshape(total.size, every.irreps.dim)
        part = some.array.reshape(total.size, some.irreps.dim)
        np.testing.assert_allclose(part @ part.T, flat @ flat.T, atol=1e-13)
    np.testing.assert_array_equal(some.array, every.array)


def test_depends_on_nothing_but_the_arguments():
    arguments = ("ijk=-jki=-ikj", {"i": "1o + 2e"})
    first = irr.reduced_tensor_product_basis(arguments[0], **arguments[1])
    assert not first.array.flags.writeable
    ic.clear_caches()
    again = irr.reduced_tensor_product_basis(arguments[0], epsilon=1e-2, **arguments[1])
    np.testing.assert_array_equal(first.array, again.array)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: irr.reduced_tensor_product_basis("ij=jk", i="1o"), ValueError, "'jk' is not a permutation"),
        (lambda: irr.reduced_tensor_product_basis("ij=-ji"), ValueError, "the index 'i' .* needs irreps"),
        (lambda: irr.reduced_tensor_product_basis("ij", i="1o"), ValueError, "the index 'j' .* needs irreps"),
        (lambda: irr.reduced_tensor_product_basis("ij", i="1o", j="0e", k="0e"), ValueError, "no index 'k'"),
        (lambda: irr.reduced_tensor_product_basis("ij=ji", i="1o", j="0e"), ValueError, "i=1x1o, j=1x0e"),
        (lambda: irr.reduced_tensor_product_basis("ij=ji", i="1o", keep="0e"), TypeError, "no argument 'keep'"),
        (lambda: irr.reduced_tensor_product_basis(["1o"], i="1o"), TypeError, "with a list of irreps"),
        (lambda: irr.reduced_tensor_product_basis([]), ValueError, "at least one index"),
        (lambda: irr.reduced_tensor_product_basis("ij", i="1o", j="1o", max_order=-1), ValueError, "max_order"),
        (lambda: irr.reduced_tensor_product_basis("ij", i="1o", j="1o", epsilon=0), ValueError, "epsilon"),
        (lambda: irr.reduced_symmetric_tensor_product_basis("1o", 0), ValueError, "degree of 1 or more, got 0"),
        (lambda: irr.reduced_antisymmetric_tensor_product_basis("1o", 1.5), ValueError, "degree of 1 or more, got 1.5"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


# As e3nn-jax: symmetric powers, and what has no symmetry, copy by copy; otherwise the same tensors of each irrep.


def test_symmetric_powers_are_those_of_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    for irreps, degree in [("0e + 1o + 2e", 3), ("2x1o + 0e", 3), ("2e", 4), ("1o + 0o + 1o", 2)]:
        ours = irr.reduced_symmetric_tensor_product_basis(irreps, degree)
        theirs = e3nn.reduced_symmetric_tensor_product_basis(irreps, degree)
        assert repr(ours.irreps) == repr(theirs.irreps)
        np.testing.assert_allclose(ours.array, theirs.array, atol=1e-12)  # they round, to 1e-13


def test_tensors_without_symmetry_are_those_of_e3nn_jax():
    e3nn = pytest.importorskip("e3nn_jax")
    for irreps, keep in [
        (["0e + 1o"] * 3, None),
        (["1o", "2x1o + 0e", "0e"], None),
        (["1o + 0e"] * 4, ["0e", "1o"]),
        (["0e + 1o"] * 5, ["0e"]),
    ]:
        ours = irr.reduced_tensor_product_basis(irreps, keep_ir=keep)
        theirs = e3nn.reduced_tensor_product_basis(irreps, keep_ir=keep)
        assert repr(ours.irreps) == repr(theirs.irreps)
        np.testing.assert_allclose(ours.array, theirs.array, atol=1e-12)


@pytest.mark.parametrize(("formula", "given"), [case for case in CASES if case[0] != "i"])
def test_spans_what_e3nn_jax_does(formula, given):
    e3nn = pytest.importorskip("e3nn_jax")
    ours = irr.reduced_tensor_product_basis(formula, **given)
    theirs = e3nn.reduced_tensor_product_basis(formula.replace(" ", ""), **given)
    assert repr(ours.irreps) == repr(theirs.irreps)
    for a, b in zip(ours.chunks, theirs.chunks, strict=True):
        overlap = np.tensordot(a, b, (tuple(range(a.ndim - 2)),) * 2)  # copy, component, copy, component
        mixing = np.einsum("uivi->uv", overlap) / a.shape[-1]
        np.testing.assert_allclose(mixing @ mixing.T, np.eye(len(mixing)), atol=1e-12)


@pytest.mark.parametrize("degree", [9, 12, 10**9])
def test_a_group_that_does_not_fit_into_memory_is_refused(degree):
    for function in (irr.reduced_symmetric_tensor_product_basis, irr.reduced_antisymmetric_tensor_product_basis):
        with pytest.raises(ValueError, match="a degree of at most 8"):
            function("1o", degree)
    with pytest.raises(ValueError, match=r"would take .* GiB"):
        irr.reduced_tensor_product_basis(["1o"] * min(degree, 20))
