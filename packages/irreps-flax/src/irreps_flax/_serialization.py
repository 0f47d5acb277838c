"""`IrrepsArray` in ``flax.serialization``: state dicts, and bytes made of them."""

from typing import Any

from flax import serialization

from irreps_core import IrrepsArray


def _to_state(x: IrrepsArray) -> dict[str, Any]:
    return {"irreps": str(x.irreps), "array": serialization.to_state_dict(x.array)}


def _from_state(target: IrrepsArray, state: dict[str, Any]) -> IrrepsArray:
    """Return the data of a state with the irreps of `target`.

    Raises:
        ValueError: the state is not that of an IrrepsArray, or has other irreps.
    """
    if set(state) != {"irreps", "array"}:
        raise ValueError(f"expected the irreps and array of an IrrepsArray, got {sorted(state)!s:.200}")
    if state["irreps"] != str(target.irreps):
        raise ValueError(
            f"the state has the irreps {state['irreps']!r:.200}, expected those of the target, {target.irreps}"
        )
    return IrrepsArray(target.irreps, serialization.from_state_dict(target.array, state["array"], name="array"))


serialization.register_serialization_state(IrrepsArray, _to_state, _from_state, override=True)
