"""Irreps in the place of data are refused with advice, by everything that takes the inputs of a layer."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

KEY = jax.random.key(0)
LINEAR = irr.Linear("2x0e")


@pytest.mark.parametrize("irreps", ["4x0e", ic.Irreps("4x0e"), ic.Irrep("0e"), ic.MulIrrep(4, "0e")], ids=repr)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: irr.init(LINEAR, KEY, x),
        lambda x: irr.init_state(irr.BatchNorm(), KEY, x),
        lambda x: irr.apply(LINEAR, {}, x),
        lambda x: irr.bindings.layer_specs(LINEAR, x),
        lambda x: irr.bindings.parameter_specs(LINEAR, x),
        lambda x: irr.init(irr.FullyConnectedTensorProduct("0e"), KEY, irr.ones("0e"), x),
    ],
)
def test_irreps_are_not_data(function: Callable[[Any], Any], irreps: Any) -> None:
    with pytest.raises(TypeError, match=r"expects data, got '.*0e': pass an IrrepsArray, for example irreps_ops\.ones"):
        function(irreps)


@pytest.mark.parametrize("value", [True, np.True_, "2", b"2", 0, -1, float("nan"), float("inf"), None, 1j], ids=repr)
def test_positive_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match="positive number"):
        irr._inputs._checks.positive("f", "cutoff", value)


@pytest.mark.parametrize("value", [True, np.True_, 1.0, np.array(1), "1", 0, 2], ids=repr)
def test_parities_of_signals(value: Any) -> None:
    for options in ({"p_val": value}, {"p_arg": value}):
        with pytest.raises(ValueError, match="must be 1 or -1"):
            irr.s2_irreps(2, **options)
