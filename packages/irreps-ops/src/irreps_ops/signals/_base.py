"""The data structure under `SphericalSignal`: values on a grid, and the parities of the function.

Modules that compute with signals depend on this class alone and build results with :meth:`SignalBase.replace_values`.
"""

from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from ._grid import Quadrature, checked_quadrature, grid_vectors, s2_grid
from ._s2_irreps import checked_parity


@dataclass(eq=False, repr=False)
class SignalBase:
    """Values on a grid; see :class:`irreps_ops.SphericalSignal`."""

    grid_values: jax.Array
    quadrature: Quadrature
    p_val: int = field(default=1, kw_only=True)
    p_arg: int = field(default=-1, kw_only=True)

    # So that NumPy arrays and numbers on the left leave the operation to this class.
    __array_ufunc__ = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        values = jnp.asarray(self.grid_values)
        if values.ndim < 2:
            raise ValueError(f"SphericalSignal expects values of shape (..., res_beta, res_alpha), got {values.shape}")
        self.grid_values = values
        checked_quadrature(self.quadrature)
        self.p_val, self.p_arg = checked_parity("p_val", self.p_val), checked_parity("p_arg", self.p_arg)

    def replace_values(self, grid_values: jax.Array, *, p_val: int | None = None) -> Self:
        """Return a signal with other values and the same quadrature and parities, except `p_val` if it is given."""
        p_val = self.p_val if p_val is None else p_val
        return type(self)(grid_values, self.quadrature, p_val=p_val, p_arg=self.p_arg)

    def __repr__(self) -> str:
        if not hasattr(self.grid_values, "shape"):
            return f"SphericalSignal({self.grid_values})"
        return (
            f"SphericalSignal(shape={self.shape}, quadrature={self.quadrature!r}, p_val={self.p_val}, "
            f"p_arg={self.p_arg})\n{self.grid_values}"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values, (..., res_beta, res_alpha)."""
        return self.grid_values.shape

    @property
    def dtype(self) -> Any:
        """Dtype of the values."""
        return self.grid_values.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, the two axes of the grid included."""
        return len(self.grid_values.shape)

    @property
    def res_beta(self) -> int:
        """Number of rings of the grid."""
        return self.grid_values.shape[-2]

    @property
    def res_alpha(self) -> int:
        """Number of points on each ring."""
        return self.grid_values.shape[-1]

    @property
    def grid_resolution(self) -> tuple[int, int]:
        """(res_beta, res_alpha)."""
        return self.res_beta, self.res_alpha

    @property
    def grid_y(self) -> jax.Array:
        r"""Height :math:`y = \cos β` of each ring, ascending, of shape (res_beta,)."""
        return constant_like(self, self._grid()[0])

    @property
    def grid_alpha(self) -> jax.Array:
        """Angle alpha of each point of a ring in radians, of shape (res_alpha,)."""
        return constant_like(self, self._grid()[1])

    @property
    def grid_vectors(self) -> jax.Array:
        """Points of the grid, unit vectors, of shape (res_beta, res_alpha, 3)."""
        return constant_like(self, grid_vectors(*self._grid()[:2]))

    @property
    def quadrature_weights(self) -> jax.Array:
        """Weight of each ring, of sum 1, of shape (res_beta,)."""
        return constant_like(self, self._grid()[2])

    def _grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return s2_grid(self.res_beta, self.res_alpha, self.quadrature)

    def __getitem__(self, index: Any) -> Self:
        """Index the leading axes as those of an array.

        Raises:
            IndexError: the index reaches the axes of the grid.
        """
        _check_leading(self, index)
        return self.replace_values(self.grid_values[index])


def constant_like(signal: SignalBase, array: np.ndarray) -> jax.Array:
    """Return a constant in the dtype of the values, or in JAX's default if that is not a floating dtype."""
    dtype = signal.dtype if jnp.issubdtype(signal.dtype, jnp.floating) else jnp.zeros(()).dtype
    return jnp.asarray(array, dtype)


def _check_leading(signal: SignalBase, index: Any) -> None:
    """Check that ``signal.grid_values[index]`` has the grid of the signal as its last two axes."""
    entries = index if isinstance(index, tuple) else (index,)
    rest = signal.ndim - sum(map(_axes_of_entry, entries))
    axis = 0
    for entry in entries:
        ellipsis = isinstance(entry, EllipsisType)
        axis += rest if ellipsis else _axes_of_entry(entry)
        whole = ellipsis or (isinstance(entry, slice) and entry == slice(None))
        if axis > signal.ndim - 2 and not whole:
            raise IndexError(
                f"the index {index!r} reaches the grid of a signal of shape {signal.shape}: index the leading axes "
                "alone, or .grid_values"
            )


def _axes_of_entry(entry: Any) -> int:
    """Return the number of axes that an entry of an index consumes."""
    if entry is None or isinstance(entry, EllipsisType):
        return 0
    is_mask = isinstance(entry, (np.ndarray, jax.Array)) and entry.dtype == bool
    return entry.ndim if is_mask else 1
