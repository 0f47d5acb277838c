"""The layer `Embedding`: learned scalars for each species."""

from dataclasses import KW_ONLY
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._precision import rounded_to, widened
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope

from ._chosen_rows import chosen_rows
from ._fields import optional


@frozen
class Embedding:
    """Learned scalars for each species.

    The output for species s is row s of the parameter `embeddings`, of shape (num_species, irreps_out.dim), whose
    initial values are normal with variance 1.

    Args:
        irreps_out: irreps of the output, all scalars (0e): a species has no orientation.
        num_species: number of species, which are numbered from 0. The output for any other number is NaN, and
            :func:`irreps_ops.checked` raises an error.
        dtype: dtype of the parameter (default: JAX's default float; in nnx `param_dtype`).

    Raises:
        ValueError: irreps that are not scalars, or species that are not integers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> species = jnp.array([0, 1, 1])
        >>> layer = irr.Embedding("4x0e", 2)
        >>> x = irr.apply(layer, irr.init(layer, jax.random.key(0), species), species)
        >>> x.irreps, x.shape
        (4x0e, (3, 4))
    """

    irreps_out: IntoIrreps = converted(Irreps)
    num_species: int = converted(partial(check.count, "Embedding", "num_species"))
    _: KW_ONLY
    dtype: Any = converted(optional(jnp.dtype), default=None)

    def validate(self) -> None:
        """Refuse irreps that are not scalars."""
        irreps = Irreps(self.irreps_out)
        if irreps.dim > 0 and not irreps.is_scalar():
            raise ValueError(f"Embedding expects scalars (0e) for irreps_out, got {irreps}")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return an abstract species. Pass no irreps (in nnx an empty tuple), since a species has none."""
        return irreps_in or (jax.ShapeDtypeStruct((), jnp.int32),)

    def __call__(self, scope: Scope, species: Any) -> IrrepsArray:
        """Return scalars of shape (..., irreps_out.dim) for integers of shape (...)."""
        species = jnp.asarray(species)
        if not jnp.issubdtype(species.dtype, jnp.integer):
            raise ValueError(f"Embedding expects species that are integers, got {species.dtype}")
        irreps = Irreps(self.irreps_out)
        dtype = jnp.zeros(()).dtype if self.dtype is None else self.dtype
        shape = (self.num_species, irreps.dim)
        table = scope.parameter("embeddings", shape, dtype, Normal(1.0))
        rows = chosen_rows("species of Embedding", widened(table), species)  # in float32: its transpose is a sum
        return IrrepsArray(irreps, rounded_to(table.dtype, rows))
