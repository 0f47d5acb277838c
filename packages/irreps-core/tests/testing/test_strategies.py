"""The strategies give what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings

from irreps_core import Irrep, Irreps, IrrepsArray
from irreps_core import testing as ict


@given(ict.irrep_strategy(lmax=2), ict.irreps_strategy(lmax=2, mul_max=3, mul_min=1, length_max=2, length_min=1))
def test_bounds(ir: Irrep, irreps: Irreps) -> None:
    assert ir.l <= 2
    assert 1 <= len(irreps) <= 2
    assert all(1 <= mul <= 3 and ir.l <= 2 for mul, ir in irreps)


@settings(max_examples=300)
@given(ict.irreps_expression_strategy())
def test_expressions_mean_the_irreps(pair: tuple[str, Irreps]) -> None:
    text, irreps = pair
    assert tuple(Irreps(text)) == tuple(irreps)


@settings(max_examples=300)
@given(ict.malformed_irreps_strategy())
def test_malformed_strings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Irreps(text)


@given(ict.irreps_array_strategy(leading_shape=(2,), dtype=np.float32))
def test_arrays(x: IrrepsArray) -> None:
    assert x.shape == (2, x.irreps.dim)
    assert x.dtype == np.float32


@given(ict.irreps_array_strategy("0e + 1o"))
def test_arrays_of_given_irreps(x: IrrepsArray) -> None:
    assert x.irreps == "0e + 1o"


@settings(max_examples=300)
@given(ict.rotation_strategy())
def test_rotations_are_unit_quaternions(q: np.ndarray) -> None:
    assert abs(np.linalg.norm(q) - 1) < 1e-15 * 4
