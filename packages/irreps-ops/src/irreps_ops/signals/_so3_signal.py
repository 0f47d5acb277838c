"""Signals on the rotation group: a signal of the axis for each angle of rotation."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray, axis_angle_to_matrix, frozen
from irreps_ops._inputs import _checks as check
from irreps_ops.pointwise._activation import Activation

from ._base import constant_like
from ._grid import Quadrature, grid_vectors, s2_grid
from ._spherical_signal import SphericalSignal


@frozen(eq=False)
class SO3Signal:
    r"""A function of rotations, given by its values at rotations about the axes of a grid. Immutable.

    The n angles, `res_theta` in number, are :math:`θ_t = 2π t / (n - 1)`, :math:`t = 0, ..., n - 1`, from 0 to 2π. So
    each rotation occurs twice, by θ about an axis and by :math:`2π - θ` about the opposite axis. The volume element is

    .. math:: dR = \frac{1}{8\pi^2} (1 - \cos\theta) \, d\theta \, d\Omega, \qquad \int dR = 1

    A pytree with one leaf, the values. Signals on the same grid, and signals and scalars, add, multiply and divide.

    Args:
        s2_signals: signals of the axis, one for each angle, of shape (..., res_theta, res_beta, res_alpha).

    Raises:
        TypeError: `s2_signals` is not a SphericalSignal.
        ValueError: it has fewer than three axes.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> trace = irr.SO3Signal.from_function(jnp.trace, 10, 9, 11, "gausslegendre")
        >>> float((trace * trace).integrate())  # characters are orthonormal
        1.0
    """

    s2_signals: SphericalSignal

    # So that NumPy arrays and numbers on the left leave the operation to this class.
    __array_ufunc__ = None

    def validate(self) -> None:
        """Check the argument."""
        if not isinstance(self.s2_signals, SphericalSignal):
            raise TypeError(f"SO3Signal expects a SphericalSignal, got {type(self.s2_signals).__name__}")
        if self.s2_signals.ndim < 3:
            raise ValueError(
                "SO3Signal expects signals of shape (..., res_theta, res_beta, res_alpha), got shape "
                f"{self.s2_signals.shape}"
            )

    @staticmethod
    def from_function(
        func: Callable[[jax.Array], Any],
        res_beta: int,
        res_alpha: int,
        res_theta: int,
        quadrature: Quadrature,
        *,
        dtype: Any = jnp.float32,
    ) -> "SO3Signal":
        """Return the signal of a function of rotation matrices.

        Args:
            func: a function of a rotation matrix, an array of shape (3, 3). It returns a number or an array, whose
                axes become the leading axes of the signal.
            res_beta: number of rings of the grid of axes.
            res_alpha: number of points on each ring.
            res_theta: number of angles, 3 or more.
            quadrature: "soft" or "gausslegendre".
            dtype: of the matrices and of the values.
        """
        y, alpha, _ = s2_grid(res_beta, res_alpha, quadrature)
        angles = _angles(check.count("SO3Signal", "res_theta", res_theta, 3))
        rotations = axis_angle_to_matrix(grid_vectors(y, alpha)[None], angles[:, None, None])
        values = jax.vmap(jax.vmap(jax.vmap(func)))(jnp.asarray(rotations, dtype))
        values = jnp.moveaxis(jnp.asarray(values, dtype), (0, 1, 2), (-3, -2, -1))
        return SO3Signal(SphericalSignal(values, quadrature))

    def replace_values(self, grid_values: jax.Array) -> "SO3Signal":
        """Return a signal with other values on the same grid."""
        return SO3Signal(self.s2_signals.replace_values(grid_values))

    # The array and its grid

    @property
    def grid_values(self) -> jax.Array:
        """The values, of shape (..., res_theta, res_beta, res_alpha)."""
        return self.s2_signals.grid_values

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.s2_signals.shape

    @property
    def dtype(self) -> Any:
        """Dtype of the values."""
        return self.s2_signals.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, the three axes of the grid included."""
        return self.s2_signals.ndim

    @property
    def batch_dims(self) -> tuple[int, ...]:
        """Leading axes of the values."""
        return self.shape[:-3]

    @property
    def res_theta(self) -> int:
        """Number of angles."""
        return self.shape[-3]

    @property
    def res_beta(self) -> int:
        """Number of rings of the grid of axes."""
        return self.s2_signals.res_beta

    @property
    def res_alpha(self) -> int:
        """Number of points on each ring."""
        return self.s2_signals.res_alpha

    @property
    def grid_theta(self) -> jax.Array:
        """Angles of rotation in radians, of shape (res_theta,)."""
        return constant_like(self.s2_signals, _angles(self.res_theta))

    @property
    def grid_resolution(self) -> tuple[int, int, int]:
        """(res_theta, res_beta, res_alpha)."""
        return self.res_theta, self.res_beta, self.res_alpha

    def __getitem__(self, index: Any) -> "SO3Signal":
        """Index the leading axes as those of an array.

        Raises:
            IndexError: the index reaches the axes of the grid.
        """
        found = self.s2_signals[index]
        if found.shape[-3:] != self.grid_resolution:
            raise IndexError(f"the index {index!r} reaches the angles of a signal of shape {self.shape}")
        return SO3Signal(found)

    def vmap_over_batch_dims(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func` mapped by ``jax.vmap`` over as many axes as the signal has leading axes."""
        for _ in self.batch_dims:
            func = jax.vmap(func)
        return func

    # Arithmetic, that of the signals of the axis

    def __neg__(self) -> "SO3Signal":
        return SO3Signal(-self.s2_signals)

    def __add__(self, other: Any) -> "SO3Signal":
        return SO3Signal(self.s2_signals + self._operand(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> "SO3Signal":
        return self + (-other)

    def __rsub__(self, other: Any) -> "SO3Signal":
        return -self + other

    def __mul__(self, other: Any) -> "SO3Signal":
        return SO3Signal(self.s2_signals * self._operand(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "SO3Signal":
        return SO3Signal(self.s2_signals / self._operand(other))

    def __rtruediv__(self, other: Any) -> "SO3Signal":
        return SO3Signal(self._operand(other) / self.s2_signals)

    def _operand(self, other: Any) -> Any:
        """Return the operand for the signals of the axis."""
        if isinstance(other, SO3Signal):
            if self.res_theta != other.res_theta:
                raise ValueError(f"signals must have the same res_theta, got {self.res_theta} and {other.res_theta}")
            return other.s2_signals
        # A scalar for each signal applies to all of its angles.
        if isinstance(other, IrrepsArray):
            return IrrepsArray(other.irreps, other.array[..., None, :])
        return other if isinstance(other, (int, float)) else jnp.asarray(other)[..., None]

    def apply(self, func: Activation) -> "SO3Signal":
        """Apply a function to each value."""
        return SO3Signal(self.s2_signals.apply(func))

    # Integrals and points

    def _volumes(self) -> np.ndarray:
        """Return (1 - cos theta) d theta for each angle: sums are exact for frequencies below res_theta - 2."""
        if self.res_theta < 3:
            raise ValueError(f"an integral over angles needs a res_theta of 3 or more, got {self.res_theta}")
        return (1 - np.cos(_angles(self.res_theta))) * (2 * math.pi / (self.res_theta - 1))

    def integrate_over_angles(self) -> SphericalSignal:
        r"""Return the integral over the angle, a signal of the axis.

        .. math:: \int_0^{2\pi} f(\text{axis}, \theta) (1 - \cos\theta) \, d\theta
        """
        weights = constant_like(self.s2_signals, self._volumes())
        values = jnp.einsum("...tba,t->...ba", self.grid_values, weights, precision=jax.lax.Precision.HIGHEST)
        return self.s2_signals.replace_values(values)

    def integrate(self) -> jax.Array:
        """Return the integral over all rotations, of volume 1; its shape is that of the leading axes."""
        return self.integrate_over_angles().integrate().array[..., 0] / (8 * math.pi**2)

    def argmax(self) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
        """Return the rotation of the grid with the largest value.

        Returns:
            Rotation matrices of shape (..., 3, 3), and the indices of theta, beta and alpha, each of the shape of the
            leading axes.
        """
        flat = self.grid_values.reshape(*self.batch_dims, -1)
        theta, beta, alpha = jnp.unravel_index(jnp.argmax(flat, axis=-1), self.grid_resolution)
        return self._rotation(theta, beta, alpha), (theta, beta, alpha)

    def sample(self, rng: jax.Array) -> jax.Array:
        """Draw a rotation of the grid, with a probability proportional to the value and the volume around the rotation.

        Args:
            rng: a random key.

        Returns:
            Rotation matrices of shape (..., 3, 3), one for each signal. The values must not be negative and need not
            be normalized.
        """
        axis_key, angle_key = jax.random.split(rng)
        beta, alpha = self.integrate_over_angles().sample(axis_key)
        values = self.grid_values.reshape(-1, self.res_theta, self.res_beta * self.res_alpha)
        axis = (beta * self.res_alpha + alpha).reshape(-1, 1, 1)
        volumes = constant_like(self.s2_signals, self._volumes())
        along = jnp.take_along_axis(values, axis, axis=-1)[..., 0] * volumes[None]
        keys = jax.random.split(angle_key, len(along))
        theta = jax.jit(jax.vmap(lambda key, p: jax.random.choice(key, len(p), p=p)))(keys, along)
        return self._rotation(theta.reshape(self.batch_dims), beta, alpha)

    def _rotation(self, theta: jax.Array, beta: jax.Array, alpha: jax.Array) -> jax.Array:
        return _rotations(self.s2_signals.grid_vectors[beta, alpha], self.grid_theta[theta])


# Compiled as one program: many small programs take long to compile.
_rotations = jax.jit(axis_angle_to_matrix)


def _angles(res_theta: int) -> np.ndarray:
    return np.linspace(0, 2 * np.pi, res_theta)


def _flatten(x: SO3Signal) -> tuple[tuple[Any], None]:
    return (x.s2_signals,), None


def _flatten_with_keys(x: SO3Signal) -> tuple[tuple[Any], None]:
    return ((jax.tree_util.GetAttrKey("s2_signals"), x.s2_signals),), None


def _unflatten(static: None, leaves: Any) -> SO3Signal:
    """Return a signal without checks: JAX puts any object in place of the signals."""
    x = object.__new__(SO3Signal)
    vars(x)["s2_signals"] = leaves[0]
    return x


jax.tree_util.register_pytree_with_keys(SO3Signal, _flatten_with_keys, _unflatten, _flatten)
