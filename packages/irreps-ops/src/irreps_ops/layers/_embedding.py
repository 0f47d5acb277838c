"""The layer `Embedding`: learned scalars for each of some species."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops.scope._scope import Scope


@dataclass(frozen=True)
class Embedding:
    """Learned scalars for each species: row s of a table.

    The parameter `embeddings`, of shape (num_species, irreps_out.dim), is normal of variance 1.

    Args:
        irreps_out: irreps of the output, scalars 0e: what is not may not depend on a species alone.
        num_species: how many species there are, numbered 0, 1, ...; any other number gives NaN.
        dtype: of the table (default: JAX's default float; in nnx `param_dtype`).

    Raises:
        ValueError: irreps that are no scalars, or species that are no integers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> species = jnp.array([0, 1, 1])
        >>> layer = irr.Embedding("4x0e", 2)
        >>> x = irr.apply(layer, irr.init(layer, jax.random.key(0), species), species)
        >>> x.irreps, x.shape
        (4x0e, (3, 4))
    """

    irreps_out: IntoIrreps
    num_species: int
    _: KW_ONLY
    dtype: Any = None

    def __post_init__(self) -> None:
        """Read the arguments, and check them."""
        irreps = Irreps(self.irreps_out)
        if irreps.dim > 0 and not irreps.is_scalar():
            raise ValueError(f"Embedding expects scalars (0e) for irreps_out, got {irreps}")
        object.__setattr__(self, "irreps_out", irreps)
        check.count("Embedding", "num_species", self.num_species)
        if self.dtype is not None:
            object.__setattr__(self, "dtype", jnp.dtype(self.dtype))

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one atom: its species has no irreps, so give none (in nnx an empty tuple), or species."""
        return irreps_in or (jax.ShapeDtypeStruct((), jnp.int32),)

    def __call__(self, scope: Scope, species: Any) -> IrrepsArray:
        """Scalars of shape (..., irreps_out.dim), from integers of shape (...)."""
        species = jnp.asarray(species)
        if not jnp.issubdtype(species.dtype, jnp.integer):
            raise ValueError(f"Embedding expects species that are integers, got {species.dtype}")
        irreps = Irreps(self.irreps_out)
        dtype = jnp.zeros(()).dtype if self.dtype is None else self.dtype
        shape = (self.num_species, irreps.dim)
        table = scope.parameter("embeddings", shape, dtype, jax.nn.initializers.normal(1.0))
        # JAX would count negative numbers from the end.
        known = jnp.where(species < 0, self.num_species, species)
        return IrrepsArray(irreps, table.at[known].get(mode="fill", fill_value=jnp.nan))
