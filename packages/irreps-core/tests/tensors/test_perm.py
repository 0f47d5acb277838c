"""Permutations obey the laws of the symmetric group."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irreps_core import perm

SIZES = range(6)
perms = st.integers(1, 7).flatmap(lambda n: st.permutations(range(n)).map(tuple))
pairs = st.integers(1, 6).flatmap(lambda n: st.tuples(*[st.permutations(range(n)).map(tuple)] * 2))


@pytest.mark.parametrize("n", SIZES)
def test_numbers_count_the_group(n):
    numbered = [perm.from_int(i, n) for i in range(math.factorial(n))]
    assert set(numbered) == perm.group(n)
    assert [perm.to_int(p) for p in numbered] == list(range(len(numbered)))
    assert numbered[0] == perm.identity(n)
    assert perm.is_group(perm.group(n))


@given(pairs)
def test_composition(pair):
    p, q = pair
    n = len(p)
    pq = perm.compose(p, q)
    assert perm.is_perm(pq)
    assert [pq[i] for i in range(n)] == [p[q[i]] for i in range(n)]
    assert perm.compose(p, perm.inverse(p)) == perm.identity(n) == perm.compose(perm.inverse(p), p)
    assert perm.inverse(pq) == perm.compose(perm.inverse(q), perm.inverse(p))
    assert perm.sign(pq) == perm.sign(p) * perm.sign(q)


@given(pairs)
def test_representations_multiply_and_are_orthogonal(pair):
    p, q = pair
    for representation in (perm.natural_representation, perm.standard_representation):
        a, b, ab = (representation(x) for x in (p, q, perm.compose(p, q)))
        np.testing.assert_allclose(a @ b, ab, atol=1e-14)
        np.testing.assert_allclose(a @ a.T, np.eye(len(a)), atol=1e-14)
        assert np.linalg.det(a) == pytest.approx(perm.sign(p))
    assert np.trace(perm.natural_representation(p)) == pytest.approx(1 + np.trace(perm.standard_representation(p)))
    np.testing.assert_array_equal(perm.natural_representation(p) @ np.eye(len(p))[0], np.eye(len(p))[p[0]])


@given(perms)
def test_cycles_and_sign(p):
    cycles = perm.to_cycles(p)
    image = {cycle[i]: cycle[(i + 1) % len(cycle)] for cycle in cycles for i in range(len(cycle))}
    assert tuple(image.get(i, i) for i in range(len(p))) == p
    assert all(len(cycle) >= 2 and cycle[0] == min(cycle) for cycle in cycles)
    inversions = sum(p[i] > p[j] for i, j in itertools.combinations(range(len(p)), 2))
    assert perm.sign(p) == (-1) ** inversions


@given(st.sets(st.permutations(range(4)).map(tuple), min_size=1, max_size=3))
def test_germinate_is_the_least_group(subset):
    g = perm.germinate(subset)
    assert subset <= g
    assert perm.is_group(g)
    assert math.factorial(4) % len(g) == 0  # Lagrange
    assert {perm.inverse(p) for p in g} == g
    assert perm.germinate(g) == g


def test_not_groups():
    assert not perm.is_group(set())
    assert not perm.is_group({(0, 1, 2), (1, 2, 0)})
    assert perm.germinate(set()) == set()


def test_rand_is_reproducible_and_reaches_all():
    assert perm.rand(6, np.random.default_rng(3)) == perm.rand(6, np.random.default_rng(3))
    rng = np.random.default_rng(0)
    assert {perm.rand(3, rng) for _ in range(200)} == perm.group(3)
    assert perm.is_perm(perm.rand(4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: perm.compose((0, 0), (0, 1)), r"permutation of 0, ..., 1, got \(0, 0\)"),
        (lambda: perm.compose((0, 1), (0, 1, 2)), "2 and 3 objects"),
        (lambda: perm.inverse((1, 2)), "permutation"),
        (lambda: perm.to_int((1,)), "permutation"),
        (lambda: perm.sign((3, 0)), "permutation"),
        (lambda: perm.from_int(6, 3), "numbered 0, ..., 5, got 6"),
        (lambda: perm.from_int(-1, 3), "got -1"),
        (lambda: perm.germinate({(0, 1), (0, 1, 2)}), "cannot be composed"),
        (lambda: perm.natural_representation((0, 2)), "permutation"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
