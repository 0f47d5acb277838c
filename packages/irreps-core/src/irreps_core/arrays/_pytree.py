"""Registration with JAX: `IrrepsArray` is a pytree with one leaf, irreps are static."""

import contextlib
from typing import Any

from irreps_core.irreps._irrep import Irrep, MulIrrep
from irreps_core.irreps._irreps import Irreps


def register(array_class: Any) -> None:
    """Register `array_class` (`IrrepsArray`) and the classes of irreps with JAX, if it is installed."""
    try:
        import jax  # optional
        from jax import export
    except ImportError:
        return

    def with_keys(x: Any) -> tuple[tuple[tuple[Any, Any]], Irreps]:
        return ((jax.tree_util.GetAttrKey("array"), x.array),), x.irreps

    def unflatten(irreps: Irreps, leaves: Any) -> Any:
        (array,) = leaves
        return array_class._unchecked(irreps, array)

    for static in (Irrep, MulIrrep, Irreps):
        with contextlib.suppress(ValueError):  # registered by an import that was interrupted
            jax.tree_util.register_static(static)
    # The zero flags are not part of the tree: a loop, which must keep the structure, may turn zeros into data.
    jax.tree_util.register_pytree_with_keys(array_class, with_keys, unflatten, lambda x: ((x.array,), x.irreps))
    # Last, because a name cannot be registered again after an interrupt.
    export.register_pytree_node_serialization(
        array_class,
        serialized_name="irreps_core.IrrepsArray",
        serialize_auxdata=lambda irreps: repr(irreps).encode(),
        deserialize_auxdata=lambda data: Irreps(data.decode()),
    )
