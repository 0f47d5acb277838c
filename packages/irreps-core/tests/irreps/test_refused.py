"""What does not denote irreps is refused, by one rule wherever it occurs."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

import irreps_core as ic

NOT_INTEGERS = [True, False, np.True_, 1.0, -1.0, np.float64(1), "1", None, 1j, np.array(1), np.array([1]), [1], (1,)]


@pytest.mark.parametrize("value", NOT_INTEGERS, ids=repr)
def test_degrees_parities_and_multiplicities_are_integers(value: Any) -> None:
    if value is not None:  # None is the default of the second argument
        with pytest.raises(ValueError, match="parity"):
            ic.Irrep(1, value)
    with pytest.raises(ValueError, match="parity"):
        ic.Irrep((1, value))
    with pytest.raises(ValueError, match="parity"):
        ic.Irreps.spherical_harmonics(2, p=value)
    with pytest.raises(ValueError, match="degree"):
        ic.Irrep(value, 1)
    with pytest.raises(ValueError, match="multiplicity"):
        ic.MulIrrep(value, "1o")
    with pytest.raises(ValueError, match=r"multiplicity|pair"):
        ic.Irreps([(value, "1o")])
    with pytest.raises(ValueError, match="lmax"):
        ic.Irreps.spherical_harmonics(value)


@pytest.mark.parametrize("one", [1, np.int8(1), np.int64(1), np.uint16(1)], ids=repr)
def test_integers_of_numpy_are_integers(one: Any) -> None:
    assert ic.Irrep(one, one) == ic.Irrep("1e")
    assert ic.MulIrrep(one, (one, -1)) == ic.MulIrrep(1, "1o")
    assert type(ic.Irrep(one, one).p) is type(ic.Irrep(one, one).l) is int
    for bad in (0, 2, -2, 3):
        with pytest.raises(ValueError, match="parity"):
            ic.Irrep(1, bad)


@pytest.mark.parametrize(
    "value", [{"0e", "1o"}, frozenset({"0e"}), set(), {"0e": 3}, {}, Counter({"1o": 2})], ids=lambda v: type(v).__name__
)
def test_collections_without_an_order_or_with_counts_are_not_irreps(value: Any) -> None:
    with pytest.raises(ValueError, match="in an order"):
        ic.Irreps(value)


def test_an_axis_in_the_place_of_the_irreps_is_found() -> None:
    jax = pytest.importorskip("jax")
    x = ic.IrrepsArray("0e + 1o", jax.numpy.ones((3, 4)))
    wrong = jax.vmap(lambda v: v, out_axes=-1)(x)
    uses = [
        lambda: wrong.chunks, lambda: wrong + wrong, lambda: 2 * wrong, lambda: ic.norm(wrong), lambda: wrong[0],
        lambda: wrong.filter("1o"), lambda: ic.concatenate([wrong, wrong], axis=0),
        lambda: wrong.transform_by_matrix(np.eye(3)), lambda: wrong.mul_to_axis(), lambda: wrong.reshape((4, 3)),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ValueError, match=r"last (axis|entry)"):
            use()
    with pytest.raises(ValueError, match="irreps axis"):
        ic.vmap(lambda v: v, out_axes=-1)(x)
    square = ic.IrrepsArray("0e + 1o", jax.numpy.arange(16.0).reshape(4, 4))  # both axes have the same length
    for options in (
        {"in_axes": 1},
        {"in_axes": (1,)},
        {"in_axes": [1]},
        {"out_axes": 1},
        {"in_axes": 1, "out_axes": 1},
    ):
        with pytest.raises(ValueError, match="irreps axis"):
            ic.vmap(lambda v: v, **options)(square)
    with pytest.raises(ValueError, match="irreps axis"):
        ic.vmap(lambda v: {"x": v, "n": v.array}, out_axes={"x": 1, "n": 0})(square)
    out = ic.vmap(lambda v, w: {"x": v, "n": w}, in_axes=(0, None), out_axes={"x": 0, "n": 1})(square, square.array)
    assert (out["x"].shape, out["n"].shape) == ((4, 4), (4, 4, 4))
