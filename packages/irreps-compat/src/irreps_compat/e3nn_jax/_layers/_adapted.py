"""Base of layers with the argument names, and their order, of e3nn-jax."""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar

import jax.numpy as jnp

from irreps_compat.e3nn_jax._irreps_array import own, to_core
from irreps_ops.bindings import Scope


class Adapted:
    """Base of dataclasses that pass their fields to another layer.

    Attributes:
        layer: class of the other layer.
        names: for each field whose name differs, its name in the other layer.
    """

    layer: ClassVar[type]
    names: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __post_init__(self) -> None:
        """Convert the fields as the other layer does, which also refuses wrong arguments."""
        made = self.adapted()
        for name, other in self._fields().items():
            object.__setattr__(self, name, own(getattr(made, other, getattr(self, name))))

    def _fields(self) -> dict[str, str]:
        return {field.name: self.names.get(field.name, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def adapted(self) -> Any:
        """Return the other layer."""
        taken = {field.name for field in fields(self.layer)}
        return self.layer(**{other: getattr(self, name) for name, other in self._fields().items() if other in taken})

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        return self.adapted().example(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, *inputs: Any, **options: Any) -> Any:
        """Apply the layer."""
        return own(self.adapted()(scope, *to_core(inputs), **to_core(options)))
