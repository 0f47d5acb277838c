"""Irrep, MulIrrep and Irreps: parsing, printing, algebra, order, slicing."""

import itertools
import pickle
import random
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from irreps_core import Irrep, Irreps, MulIrrep
from irreps_core.irrep import l0e, l1o, l2e

irrep_strategy = st.builds(Irrep, st.integers(0, 12), st.sampled_from([1, -1]))
term_strategy = st.tuples(st.integers(0, 200), irrep_strategy)
irreps_strategy = st.lists(term_strategy, max_size=6).map(Irreps)


@settings(max_examples=5000, deadline=None)
@given(irreps_strategy)
def test_print_then_parse_gives_the_same_irreps(irreps: Irreps) -> None:
    assert Irreps(str(irreps)) == irreps
    assert Irreps(repr(irreps)) == irreps
    assert Irreps(f"  {irreps} ".replace("+", " + ").replace("x", " x ")) == irreps


def _malformed(seed: int) -> str:
    """A random irreps expression with one random edit, or random characters of the grammar."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        return "".join(rng.choice("0123456789xeoy+-. *") for _ in range(rng.randint(1, 12)))
    text = "+".join(f"{rng.randint(0, 9)}x{rng.randint(0, 9)}{rng.choice('eo')}" for _ in range(rng.randint(1, 3)))
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(string.punctuation + string.ascii_letters) + text[place + rng.randint(0, 1) :]


def _is_well_formed(text: str) -> bool:
    """The grammar, written once more without regular expressions."""
    if text.strip() == "":
        return True
    for term in text.split("+"):
        mul, x, ir = term.partition("x")
        if not x:
            mul, ir = "1", term
        ir = ir.strip()
        digits = [mul.strip(), ir[:-1].rstrip()]
        if ir[-1:] not in ("e", "o", "y") or not all(d and set(d) <= set("0123456789") for d in digits):
            return False
    return True


def test_malformed_strings_are_refused_and_quoted() -> None:
    refused = 0
    for seed in range(8000):
        text = _malformed(seed)
        if _is_well_formed(text):
            Irreps(text)
            continue
        with pytest.raises(ValueError) as error:
            Irreps(text)
        assert repr(text) in str(error.value)
        refused += 1
    assert refused >= 2000


@pytest.mark.parametrize(
    "bad", ["1x", "-1x0e", "1.5e", "0x", "x1o", "1e+", "1 e 1", "e", "-1e", "1x1x1e", "1z", "\u0661e", "9" * 5000 + "e"]
)
def test_the_malformed_strings_that_people_write(bad: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        Irreps(bad)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((-1, 1), "-1"),
        ((1.5, 1), "1.5"),
        ((1, 0), "parity"),
        ((1, 3), "3"),
        ((True, 1), "True"),
        ((1, True), "True"),
        (("1x1o",), "without multiplicity"),
        (("banana",), "banana"),
        ((None,), "None"),
        ((1,), "1"),
    ],
)
def test_wrong_irreps_are_refused(args: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Irrep(*args)


@pytest.mark.parametrize("bad", [-1, 1.5, "2", True])
def test_wrong_multiplicities_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="multiplicity"):
        MulIrrep(bad, "1o")
    with pytest.raises(ValueError, match="multiplicity"):
        Irreps([(bad, "1o")])


@pytest.mark.parametrize("bad", [3, [1, 2], ["1o", 5], [("a", "b", "c")], [None], object()])
def test_what_cannot_be_irreps_is_refused(bad: object) -> None:
    with pytest.raises(ValueError):
        Irreps(bad)


def test_irreps_from_everything_that_means_irreps() -> None:
    expected = Irreps("2x0e + 1x1o")
    ways = [[(2, "0e"), "1o"], [(2, (0, 1)), Irrep("1o")], [MulIrrep(2, "0e"), (1, (1, -1))], "2x0e+1y", expected]
    assert all(Irreps(way) == expected for way in ways)
    assert Irreps(Irrep("1o")) == Irreps(MulIrrep(1, "1o")) == "1o"
    assert Irreps() == Irreps(None) == Irreps("") == Irreps([]) == Irreps("Irreps()")
    assert Irreps(np.int64(2) * Irrep("1o")) == "2x1o"
    assert MulIrrep((2, "0e")) == MulIrrep(MulIrrep(2, "0e")) == MulIrrep(2, (0, 1)) == MulIrrep(2, "0e")
    for bad in ("1o", "2x0e", 3, (2,), None):
        with pytest.raises(ValueError, match="expected a multiplicity and an irrep"):
            MulIrrep(bad)


def values_of_every_kind() -> st.SearchStrategy[object]:
    """Few different values of each kind, and their parts as plain values, so that many pairs are equal."""
    irrep = st.builds(Irrep, st.integers(0, 1), st.sampled_from([1, -1]))
    mul_irrep = st.builds(MulIrrep, st.integers(0, 2), irrep)
    irreps = st.lists(mul_irrep, max_size=2).map(Irreps)
    plain = st.one_of(irrep.map(tuple), mul_irrep.map(tuple), irreps.map(tuple), irreps.map(list))
    return st.one_of(irrep, mul_irrep, irreps, plain, st.none(), st.integers(0, 2))


@settings(max_examples=2000, deadline=None)
@given(*[values_of_every_kind()] * 3)
def test_equality_is_an_equivalence_and_agrees_with_the_hash(a: object, b: object, c: object) -> None:
    assert a == a
    assert (a == b) == (b == a)
    assert (a != b) is not (a == b)
    if a == b:
        assert type(a) is type(b)
        assert isinstance(a, list) or hash(a) == hash(b)
        assert (a == c) == (b == c)


@settings(max_examples=500, deadline=None)
@given(irrep_strategy, irrep_strategy, st.integers(0, 3), st.integers(0, 3))
def test_values_of_different_kinds_differ(a: Irrep, b: Irrep, m: int, n: int) -> None:
    assert (a == b) == (tuple(a) == tuple(b))
    assert (MulIrrep(m, a) == MulIrrep(n, b)) == ((m, a) == (n, b))
    assert a not in (MulIrrep(m, a), Irreps(a), tuple(a))
    assert MulIrrep(m, a) not in (a, Irreps([(m, a)]), (m, a))
    assert Irreps([(m, a)]) not in (a, MulIrrep(m, a), (MulIrrep(m, a),), [MulIrrep(m, a)])
    assert a in Irreps([(m, a), (n, b)])


@settings(max_examples=500, deadline=None)
@given(irrep_strategy, irreps_strategy)
def test_strings_equal_the_values_that_they_denote(ir: Irrep, irreps: Irreps) -> None:
    for value in (ir, irreps):
        assert value == str(value)
        assert str(value) == value
        assert str(value) in {value}
        assert value in {str(value)}
        assert value not in ("banana", f"{value}+2x7e")
    assert irreps == f" {irreps} ".replace("+", " + ")


def test_values_are_immutable_and_pickle() -> None:
    for value in (Irrep("1o"), MulIrrep(2, "1o"), Irreps("2x1o+0e")):
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value
        assert type(copy) is type(value)
    with pytest.raises(AttributeError):
        Irrep("1o").l = 2  # type: ignore[misc]  # that this fails is the test


def test_order_and_iterator() -> None:
    in_order = [Irrep(s) for s in ("0e", "0o", "1o", "1e", "2e", "2o", "3o", "3e")]
    assert list(Irrep.iterator(3)) == in_order
    assert sorted(random.Random(0).sample(in_order, 8)) == in_order
    endless = Irrep.iterator()
    assert [next(endless) for _ in range(8)] == in_order


@given(irrep_strategy, irrep_strategy)
def test_selection_rules(a: Irrep, b: Irrep) -> None:
    product = list(a * b)
    assert sum(ir.dim for ir in product) == a.dim * b.dim
    assert all(ir.p == a.p * b.p for ir in product)
    assert list(b * a) == product


@settings(max_examples=500, deadline=None)
@given(irreps_strategy, irreps_strategy, irreps_strategy)
def test_sums_form_a_monoid_and_dimensions_add(a: Irreps, b: Irreps, c: Irreps) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + Irreps() == a == Irreps() + a
    assert (a + b).dim == a.dim + b.dim
    assert (a + b).num_irreps == a.num_irreps + b.num_irreps
    assert sum([a, b, c]) == a + b + c


@settings(max_examples=500, deadline=None)
@given(irreps_strategy, st.integers(0, 5))
def test_multiples(a: Irreps, n: int) -> None:
    assert (n * a).dim == n * a.dim == a.repeat(n).dim
    assert (n * a).regroup() == a.repeat(n).regroup()
    if n:
        assert (n * a) // n == a


@settings(max_examples=500, deadline=None)
@given(irreps_strategy)
def test_simplifying_sorting_and_regrouping(a: Irreps) -> None:
    simple = a.simplify()
    assert simple.dim == a.dim
    assert simple.simplify() == simple
    assert all(x.ir != y.ir for x, y in itertools.pairwise(simple))
    assert all(item.mul > 0 for item in simple)

    irreps, p, inv = a.sort()
    assert [ir for _, ir in irreps] == sorted(ir for _, ir in a)
    assert all(irreps[p[i]] == a[i] for i in range(len(a)))
    assert all(irreps[j] == a[inv[j]] for j in range(len(a)))

    grouped = a.regroup()
    assert all(grouped.count(ir) == a.count(ir) for _, ir in a)
    assert len({ir for _, ir in grouped}) == len(grouped)
    assert a.unify().dim == a.dim


@settings(max_examples=500, deadline=None)
@given(irreps_strategy, st.data())
def test_slices(a: Irreps, data: st.DataObject) -> None:
    each = [ir for mul, ir in a for _ in range(mul)]
    i, j = data.draw(st.integers(0, len(each) + 2)), data.draw(st.integers(0, len(each) + 2))
    assert [ir for mul, ir in a.slice_by_mul[i:j] for _ in range(mul)] == each[i:j]
    bounds = np.cumsum([0, *[ir.dim for ir in each]])
    i, j = min(i, len(each)), min(j, len(each))
    cut = a.slice_by_dim[int(bounds[i]) : int(bounds[j])]
    assert [ir for mul, ir in cut for _ in range(mul)] == each[i:j]
    assert a.slice_by_chunk[::-1] == Irreps(list(reversed(a)))
    assert [s.stop - s.start for s in a.slices()] == [item.dim for item in a]


def test_a_cut_inside_an_irrep_says_where_to_cut() -> None:
    with pytest.raises(IndexError, match="cut at 2 or 5"):
        Irreps("2x0e + 1o").slice_by_dim[:3]
    with pytest.raises(IndexError, match="step 1"):
        Irreps("2x0e + 1o").slice_by_mul[::2]
    with pytest.raises(IndexError, match="slice"):
        Irreps("2x0e").slice_by_mul[0]


def test_filter() -> None:
    irreps = Irreps("8x0e + 4x1o + 2x2e + 3x1o")
    assert irreps.filter() == irreps
    assert irreps.filter("1o") == irreps.filter(keep=["1o"]) == irreps.filter(keep=Irrep("1o")) == "4x1o+3x1o"
    assert irreps.filter(keep="5x0e+2e") == "8x0e+2x2e"
    assert irreps.filter(drop="1o") == "8x0e+2x2e"
    assert irreps.filter(drop=MulIrrep(7, "1o")) == "8x0e+2x2e"
    assert irreps.filter(lmax=1) == "8x0e+4x1o+3x1o"
    assert irreps.filter(keep=lambda item: item.mul > 3) == "8x0e+4x1o"
    assert irreps.filter(mask=[True, False, False, True]) == "8x0e+3x1o"
    with pytest.raises(ValueError, match="keep and drop"):
        irreps.filter("1o", drop="0e")
    with pytest.raises(ValueError, match="4 items"):
        irreps.filter(mask=[True])


def test_sizes_and_questions() -> None:
    irreps = Irreps("12x0e + 8x1o + 0x5e")
    assert (irreps.dim, irreps.num_irreps, irreps.mul_gcd, irreps.lmax) == (36, 20, 4, 1)
    assert irreps.ls == [0] * 12 + [1] * 8
    assert irreps.count("1o") == 8
    assert irreps.index("1o") == 1
    assert "5e" in irreps
    assert "2e" not in irreps
    assert irreps.set_mul(3) == "3x0e+3x1o+3x5e"
    assert irreps[:2] == "12x0e+8x1o"
    assert isinstance(irreps[0], MulIrrep)
    assert Irreps.spherical_harmonics(2) == "0e+1o+2e"
    assert Irreps.spherical_harmonics(2, p=1) == "0e+1e+2e"
    assert not Irreps().is_scalar()
    with pytest.raises(ValueError, match="lmax"):
        _ = Irreps("0x1o").lmax
    with pytest.raises(ValueError, match="2e is not in"):
        irreps.index("2e")
    with pytest.raises(TypeError, match="tensor_product"):
        irreps * irreps  # type: ignore[operator]  # that this fails is the test
    with pytest.raises(ValueError, match="-2"):
        irreps * -2


def test_irreps_by_name() -> None:
    assert (l0e, l1o, l2e) == (Irrep("0e"), Irrep("1o"), Irrep("2e"))
    assert l1o + l2e == Irreps("1o+2e")
    assert "0e" + l1o == Irreps("0e+1o")
    import irreps_core

    with pytest.raises(AttributeError, match="banana"):
        _ = irreps_core.irrep.banana
    with pytest.raises(AttributeError, match="l1x"):
        _ = irreps_core.irrep.l1x


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(st.tuples(st.integers(0, 3), st.builds(Irrep, st.integers(0, 3), st.sampled_from([1, -1])))))
def test_representation_matrices_are_block_diagonal(terms: list) -> None:
    irreps = Irreps(terms)
    assume(irreps.dim < 60)
    D = irreps.D_from_angles(0.3, 1.1, -2.0, 1)
    X = irreps.generators()
    assert D.shape == (irreps.dim, irreps.dim)
    assert X.shape == (3, irreps.dim, irreps.dim)
    start = 0
    for mul, ir in irreps:
        for _ in range(mul):
            s = slice(start, start + ir.dim)
            np.testing.assert_allclose(D[s, s], ir.D_from_angles(0.3, 1.1, -2.0, 1), atol=1e-14)
            np.testing.assert_allclose(X[:, s, s], ir.generators(), atol=0)
            D[s, s] = 0
            start += ir.dim
    assert not D.any()


def test_inversions_and_mirrors() -> None:
    irreps = Irreps("0e+0o+1o+1e")
    inversion = np.diag([1, -1, -1, -1, -1, 1, 1, 1.0])
    np.testing.assert_allclose(irreps.D_from_matrix(-np.eye(3)), inversion, atol=1e-15)
    np.testing.assert_allclose(irreps.D_from_angles(0.0, 0.0, 0.0, np.array([0, 1, 2]))[1], inversion, atol=1e-15)
    np.testing.assert_allclose(irreps.D_from_angles(0.0, 0.0, 0.0, np.array([0, 1, 2]))[2], np.eye(8), atol=1e-15)
    mirror = np.diag([1.0, -1, 1])
    np.testing.assert_allclose(Irreps("1o").D_from_matrix(mirror), mirror, atol=1e-15)
    np.testing.assert_allclose(Irreps("1e").D_from_matrix(mirror), -mirror, atol=1e-15)
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        irreps.D_from_matrix(np.eye(2))
