"""`IrrepsArray` in flax.serialization: what goes in comes out, and data of other irreps are refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization

import irreps_core as ic
import irreps_flax.linen
import irreps_flax.nnx  # noqa: F401

X = ic.IrrepsArray("2x0e + 1o", jnp.arange(10.0, dtype=jnp.float32).reshape(2, 5))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
def test_bytes_and_back(dtype: str) -> None:
    tree = {"x": X.astype(dtype), "layers": [X, {"empty": ic.IrrepsArray("", jnp.zeros((3, 0)))}], "n": jnp.ones(2)}
    zeros = {
        "x": 0 * X.astype(dtype),
        "layers": [0 * X, {"empty": ic.IrrepsArray("", jnp.ones((3, 0)))}],
        "n": jnp.zeros(2),
    }
    found = serialization.from_bytes(zeros, serialization.to_bytes(tree))
    for one, other in ((found["x"], tree["x"]), (found["layers"][0], X)):
        assert (one.irreps, one.dtype, one.shape) == (other.irreps, other.dtype, other.shape)
        np.testing.assert_array_equal(np.asarray(one.array, float), np.asarray(other.array, float))
    assert found["layers"][1]["empty"].shape == (3, 0)


def test_other_irreps_are_refused() -> None:
    state = serialization.to_state_dict(X)
    assert state["irreps"] == "2x0e+1x1o"
    with pytest.raises(ValueError, match=r"irreps '2x0e\+1x1o', expected those of the target, 2x0e\+1x1e"):
        serialization.from_state_dict(ic.IrrepsArray("2x0e + 1e", X.array), state)
    with pytest.raises(ValueError, match="expected the irreps and array"):
        serialization.from_state_dict(X, {"array": X.array})
    with pytest.raises(ValueError, match="last axis"):
        serialization.from_state_dict(X, state | {"array": jnp.ones((2, 4))})
