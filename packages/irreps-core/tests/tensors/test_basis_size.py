"""Bases of tensors that would not fit into memory are refused with their size, which is exact."""

import itertools
import math
import string
import tracemalloc

import numpy as np
import pytest

import irreps_core as ic
from irreps_core.tensors import _basis_size

KEEP = [None, frozenset({ic.Irrep("0e"), ic.Irrep("1o")})]
CASES = [
    ("ij=ji", ["0e + 1o"] * 2),
    ("ij=-ji", ["3x0o"] * 2),
    ("ijk", ["0e + 1o", "1e", "2e"]),
    ("ijk=jki", ["0o + 1o"] * 3),
    ("ijk=jik", ["1o + 2e", "1o + 2e", "1e"]),
    ("ijk=-jik=kij", ["2x0e + 1o"] * 3),
    ("ijkl=jikl=klij", ["1o"] * 4),
    ("ijkl=-jikl=klij", ["1e + 0x2e"] * 4),
]


@pytest.mark.parametrize(("formula", "irreps"), CASES)
@pytest.mark.parametrize("keep", KEEP)
def test_the_number_of_tensors_is_that_of_the_basis(formula, irreps, keep):
    indices, group = [ic.Irreps(x) for x in irreps], ic.parse_symmetry(formula)[1]
    basis = ic.symmetric_basis(indices, group, keep)
    assert _basis_size._rank(indices, group, keep) == sum(len(copies) * ir.dim for ir, copies in basis.items())


@pytest.mark.parametrize("n", [8, 52])
def test_many_indices_are_refused_with_the_size(n):
    letters = string.ascii_letters[:n]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"would take (at least )?[0-9.e+]+ GiB, more than the 0\.125 GiB allowed"):
            _ = ic.CartesianTensor(letters).irreps
        with pytest.raises(ValueError, match="GiB"):
            ic.product_basis(["1o"] * n)
        swapped = letters[1] + letters[0] + letters[2:]
        with pytest.raises(ValueError, match="GiB"):
            _ = ic.CartesianTensor(f"{letters}={swapped}").irreps
        if n > 8:
            with pytest.raises(ValueError, match=r"form a group of more than [0-9,]+ members"):
                ic.CartesianTensor(f"{letters}={swapped}={letters[1:]}{letters[0]}")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_few_wanted_irreps_of_many_components_are_allowed():
    indices = ["4x0e + 4x1o"] * 4  # 65,536 components
    with pytest.raises(ValueError, match="GiB"):
        ic.product_basis(indices)
    group = ic.parse_symmetry("ijkl=jikl=jkli")[1]
    ic.check_basis_size([ic.Irreps(i) for i in indices], group, {ic.Irrep("0o")})
    assert _basis_size._rank([ic.Irreps("1o")] * 3, None, {ic.Irrep("0o")}) == 1  # the triple product


def test_a_limit_of_the_degrees_is_counted():
    allowed = 0
    for degrees in itertools.product(range(3), repeat=3):
        allowed += math.prod(2 * l + 1 for l in degrees) if sum(degrees) <= 3 else 0
    assert _basis_size._components([ic.Irreps("0e+1o+2e")] * 3, 3) == allowed
    ic.check_basis_size([ic.Irreps("20x0e+20x2e")] * 2, max_order=0)
    with pytest.raises(ValueError, match="GiB"):
        ic.check_basis_size([ic.Irreps("20x0e+20x2e")] * 2, max_order=4)
    with pytest.raises(ValueError, match="GiB"):
        ic.product_basis(["1000x1o"] * 2, max_order=2)


def test_both_limits_hold_for_one_index_as_well():
    for number in (1, 2):
        basis = ic.product_basis(["0e + 1o + 2e"] * number, keep_ir=["1o", "2e"], max_order=1)
        assert list(basis) == ["1o"]


@pytest.mark.parametrize(
    "indices",
    [
        ["1o", f"{10**30}x1o", ""],
        ["", f"0e+{10**30}o"],
        [f"{10**400}x0e", "1o"],
        ["9000x0e", ""],
        ["9000x0e"],
        [f"{10**10}e", ""],
        [f"0e+1x{10**20}o"],
    ],
)
def test_huge_and_empty_indices(indices):
    for keep in (None, {ic.Irrep("9e")}):
        with pytest.raises(ValueError, match=r"would take (at least )?[0-9.e+]+ GiB"):
            ic.product_basis(indices, keep)
        with pytest.raises(ValueError, match=r"would take (at least )?[0-9.e+]+ GiB"):
            ic.symmetric_basis(indices, ic.parse_symmetry("abc"[: len(indices)])[1], keep)


def test_a_degree_without_copies_costs_nothing():
    nothing = ic.Irreps(f"0x{10**20}e + 100x1o")
    ic.check_basis_size([nothing] * 2, max_order=0)
    with pytest.raises(ValueError, match="GiB"):
        ic.check_basis_size([nothing] * 2, max_order=10**20)
    with pytest.raises(ValueError, match="GiB"):
        ic.check_basis_size([nothing] * 2)


@pytest.mark.parametrize("first", ["0x1o + 0e", "1e + 0x0e + 0x2o", "0x1o"])
def test_irreps_without_copies_change_no_basis(first):
    plain = ic.Irreps(first).remove_zero_multiplicities()
    for formula in ("ab", "abc", "ab=ba", "ab=-ba", "abc=bca"):
        names, group = ic.parse_symmetry(formula)
        others = [] if "=" in formula else ["0x3e + 1o + 0x1e"] * (len(names) - 1)
        found, expected = (
            ic.symmetric_basis([x, *others] if others else [x] * len(names), group) for x in (ic.Irreps(first), plain)
        )
        assert list(found) == list(expected)
        for ir, copies in found.items():
            np.testing.assert_array_equal(copies, expected[ir])
        if others:
            basis = ic.product_basis([first, *others])
            assert {ir: copies.shape for ir, copies in basis.items()} == {ir: c.shape for ir, c in expected.items()}


def test_up_to_seven_vectors_are_allowed():
    for n in range(1, 8):
        ic.check_basis_size([ic.Irreps("1o")] * n, None, None)


def test_coefficients_and_groups_that_do_not_fit_into_memory():
    with pytest.raises(
        ValueError, match=r"would take 7\.47 GiB, more than the 2 GiB allowed: use clebsch_gordan_sparse"
    ):
        ic.clebsch_gordan(500, 500, 500)
    with pytest.raises(ValueError, match="GiB"):
        ic.clebsch_gordan(0, 0, 10**12)
    with pytest.raises(ValueError, match="at most 10 objects"):
        ic.perm.group(30)
