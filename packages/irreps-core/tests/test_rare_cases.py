"""Cases that hardly a program meets: each is right, or an error that says what to do."""

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import irreps_core as ic
from irreps_core import Irrep, Irreps, IrrepsArray, MulIrrep

ZERO = IrrepsArray("0e", np.zeros((2, 1)), zero_flags=(True,))
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an irrep, repeated": (lambda: Irrep("1o") * 3, TypeError, r"write 3 \* Irrep\('1o'\)"),
    "an irrep and a number, in order": (lambda: Irrep("1o") < 3, TypeError, "not supported"),
    "an irrep and a number, in order or equal": (lambda: Irrep("1o") <= 3, TypeError, "not supported"),
    "an item and an irrep, in order": (lambda: MulIrrep(1, "1o") < Irrep("1o"), TypeError, "not supported"),
    "an item by number": (lambda: Irreps("0e").slice_by_chunk[0], IndexError, r"such as slice_by_chunk\[1:3\], got 0"),
    "no indices": (lambda: ic.product_basis([]), ValueError, "at least one index, got none"),
    "no multiplicities": (lambda: IrrepsArray("", np.ones((2, 0))).mul_to_axis(), ValueError, "expects a factor"),
    "division by zero": (lambda: 1 / ZERO, ValueError, "the divisor is known to be zero"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_errors(name: str) -> None:
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


def test_order() -> None:
    expected = ["0e", "0o", "1o", "1e", "2e", "2o", "3o", "3e"]  # by degree, and harmonics first
    irreps = [Irrep(x) for x in expected]
    for relation in (operator.lt, operator.le):
        found = [relation(a, b) for a in irreps for b in irreps]
        assert found == [relation(n, m) for n in range(8) for m in range(8)]
    items = [MulIrrep(mul, ir) for ir in expected for mul in (1, 3)]
    assert all(a < b for a, b in itertools.combinations(items, 2))
    assert not any(b < a for a, b in itertools.combinations_with_replacement(items, 2))
    assert Irrep(MulIrrep(3, "2o")) == Irrep(Irrep("2o")) == Irrep(2, -1)
    assert Irrep("1o") != 3


def test_sums_and_chunks() -> None:
    assert sum([Irreps("1o"), Irreps("0e"), Irreps("1o")]) == Irreps("1o+0e+1o")
    x = IrrepsArray("1o+2x1o+0e", np.arange(10.0))
    assert x.unify().irreps == Irreps("3x1o+0e")
    np.testing.assert_array_equal(x.unify().array, x.array)


def test_norms_of_complex_numbers() -> None:
    z = np.array([[3 + 4j, 0, 12j]])
    np.testing.assert_allclose(ic.norm(IrrepsArray("1o", z)).array, [[13]])
    np.testing.assert_allclose(ic.norm(IrrepsArray("1o", z), squared=True).array, [[169]])


def test_random_numbers() -> None:
    key = pytest.importorskip("jax").random.key(0)
    assert ic.normal("", key, (3,)).shape == (3, 0)
    norms = ic.norm(IrrepsArray.randn("4x1o", key, (5,), normalization="norm"))
    np.testing.assert_allclose(norms.array, 1, rtol=1e-6)
    with pytest.raises(ValueError, match="'component' or 'norm', got 'banana'"):
        IrrepsArray.randn("1o", key, normalization="banana")
