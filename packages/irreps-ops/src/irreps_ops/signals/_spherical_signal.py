"""Signals on the sphere: functions given by their values on a grid."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops.pointwise._activation import Activation, function_parity

from . import _arithmetic as arithmetic
from ._grid import Quadrature, checked_quadrature, grid_vectors, s2_grid
from ._s2_irreps import checked_parity
from ._signal_indexing import check_leading
from ._transforms import resampled, transformed

if TYPE_CHECKING:
    from ._plot import Surface


@dataclass(eq=False, repr=False)
class SphericalSignal:
    r"""A function on the sphere, given by its values on the grid of :func:`s2_grid`.

    With the inversion of space I the function becomes

    .. math:: (I f)(x) = p_{val} \, f(p_{arg} x)

    It is a pytree of one leaf, the values, which no function changes; they may be assigned. Signals of the same grid
    add, multiply and divide point by point; so do a signal and a scalar: a number, an array of the shape of the leading
    axes, or an IrrepsArray 0e or 0o of them.

    Args:
        grid_values: values, of shape (..., res_beta, res_alpha).
        quadrature: "soft" or "gausslegendre".
        p_val: parity of the values, 1 or -1.
        p_arg: parity of the argument, -1 for ordinary vectors, 1 for pseudovectors.

    Raises:
        ValueError: fewer than two axes, an unknown quadrature, or a parity that is neither 1 nor -1.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = ic.IrrepsArray("0e + 1o", jnp.array([1.0, 0.0, 2.0, 0.0]))
        >>> signal = irr.to_s2grid(x, 20, 19, quadrature="soft")
        >>> irr.from_s2grid(signal, "0e + 1o")
        1x0e+1x1o [ 1. -0.  2. -0.]
        >>> signal.apply(jnp.square).integrate().array / (4 * jnp.pi)
        Array([5.], dtype=float...)
    """

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

    @staticmethod
    def from_function(
        func: Callable[[jax.Array], Any],
        res_beta: int,
        res_alpha: int,
        quadrature: Quadrature,
        *,
        p_val: int = 1,
        p_arg: int = -1,
        dtype: Any = jnp.float32,
    ) -> "SphericalSignal":
        """The values of a function at the points of a grid.

        Args:
            func: takes an array (x, y, z) of the sphere, gives a number, or an array: its axes come first.
            res_beta: how many rings.
            res_alpha: how many points on each ring.
            quadrature: "soft" or "gausslegendre".
            p_val: parity of the values.
            p_arg: parity of the argument.
            dtype: of the points and of the values.

        Example:
            >>> import irreps_ops as irr
            >>> irr.SphericalSignal.from_function(lambda v: v[0] ** 2 - v[1] ** 2, 50, 49, "soft").shape
            (50, 49)
        """
        y, alpha, _ = s2_grid(res_beta, res_alpha, quadrature)
        values = jax.vmap(jax.vmap(func))(jnp.asarray(grid_vectors(y, alpha), dtype))
        values = jnp.moveaxis(jnp.asarray(values, dtype), (0, 1), (-2, -1))
        return SphericalSignal(values, quadrature, p_val=p_val, p_arg=p_arg)

    @staticmethod
    def zeros(
        res_beta: int,
        res_alpha: int,
        quadrature: Quadrature,
        *,
        p_val: int = 1,
        p_arg: int = -1,
        dtype: Any = jnp.float32,
    ) -> "SphericalSignal":
        """The signal that is zero everywhere."""
        return SphericalSignal(jnp.zeros((res_beta, res_alpha), dtype), quadrature, p_val=p_val, p_arg=p_arg)

    def replace_values(self, grid_values: jax.Array, *, p_val: int | None = None) -> "SphericalSignal":
        """Other values with the same quadrature and parities (or another `p_val`)."""
        p_val = self.p_val if p_val is None else p_val
        return SphericalSignal(grid_values, self.quadrature, p_val=p_val, p_arg=self.p_arg)

    def __repr__(self) -> str:
        if not hasattr(self.grid_values, "shape"):
            return f"SphericalSignal({self.grid_values})"
        return (
            f"SphericalSignal(shape={self.shape}, quadrature={self.quadrature!r}, p_val={self.p_val}, "
            f"p_arg={self.p_arg})\n{self.grid_values}"
        )

    # The array and its grid

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
        """Number of axes, the two of the grid included."""
        return len(self.grid_values.shape)

    @property
    def res_beta(self) -> int:
        """How many rings the grid has."""
        return self.grid_values.shape[-2]

    @property
    def res_alpha(self) -> int:
        """How many points each ring has."""
        return self.grid_values.shape[-1]

    @property
    def grid_resolution(self) -> tuple[int, int]:
        """(res_beta, res_alpha)."""
        return self.res_beta, self.res_alpha

    @property
    def grid_y(self) -> jax.Array:
        """Height y = cos(beta) of each ring, ascending, shape (res_beta,)."""
        return self._constant(self._grid()[0])

    @property
    def grid_alpha(self) -> jax.Array:
        """Angle alpha of each point of a ring, in radians, shape (res_alpha,)."""
        return self._constant(self._grid()[1])

    @property
    def grid_vectors(self) -> jax.Array:
        """The points of the grid, unit vectors, shape (res_beta, res_alpha, 3)."""
        return self._constant(grid_vectors(*self._grid()[:2]))

    @property
    def quadrature_weights(self) -> jax.Array:
        """Weight of each ring, of sum 1, shape (res_beta,)."""
        return self._constant(self._grid()[2])

    def _grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return s2_grid(self.res_beta, self.res_alpha, self.quadrature)

    def _constant(self, array: np.ndarray) -> jax.Array:
        """In the dtype of the values, or JAX's default if they are no floating-point numbers."""
        dtype = self.dtype if jnp.issubdtype(self.dtype, jnp.floating) else jnp.zeros(()).dtype
        return jnp.asarray(array, dtype)

    def __getitem__(self, index: Any) -> "SphericalSignal":
        """Index the leading axes as those of an array.

        Raises:
            IndexError: the index reaches the axes of the grid.
        """
        check_leading(self, index)
        return self.replace_values(self.grid_values[index])

    # Arithmetic; see _signal_arithmetic.py

    def __neg__(self) -> "SphericalSignal":
        return self.replace_values(-self.grid_values)

    def __add__(self, other: Any) -> "SphericalSignal":
        return arithmetic.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "SphericalSignal":
        return arithmetic.add(self, -other)

    def __rsub__(self, other: Any) -> "SphericalSignal":
        return arithmetic.add(-self, other)

    def __mul__(self, other: Any) -> "SphericalSignal":
        return arithmetic.multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "SphericalSignal":
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> "SphericalSignal":
        return arithmetic.reciprocal(self, other)

    def apply(self, func: Activation) -> "SphericalSignal":
        """Apply a function to each value. Odd values (p_val = -1) become even under an even function.

        Raises:
            ValueError: the values are odd and the function is neither even nor odd, so it would not be equivariant.

        Example:
            >>> import irreps_ops as irr
            >>> import jax.numpy as jnp
            >>> odd = irr.SphericalSignal.zeros(4, 3, "soft", p_val=-1)
            >>> odd.apply(jnp.cos).p_val, odd.apply(jnp.sin).p_val
            (1, -1)
        """
        parity = 1 if self.p_val == 1 else function_parity(func)
        if parity == 0:
            raise ValueError(
                f"SphericalSignal.apply: {func!r} is neither even nor odd, so it cannot act on values that change sign "
                "under a mirror (p_val = -1)"
            )
        return self.replace_values(func(self.grid_values), p_val=parity)

    # By way of the coefficients

    def resample(
        self, res_beta: int, res_alpha: int, lmax: int, quadrature: Quadrature | None = None
    ) -> "SphericalSignal":
        """The signal on another grid.

        Args:
            res_beta: how many rings.
            res_alpha: how many points on each ring.
            lmax: up to which degree the signal is taken.
            quadrature: of the new grid (default: the present one).

        Example:
            >>> import irreps_ops as irr
            >>> signal = irr.SphericalSignal.from_function(lambda v: v[0], 6, 5, "soft")
            >>> x = irr.from_s2grid(signal.resample(4, 9, lmax=1, quadrature="gausslegendre"), "1o")
            >>> [round(float(c), 3) + 0 for c in x.array * 3**0.5]
            [1.0, 0.0, 0.0]
        """
        return resampled(self, res_beta, res_alpha, lmax, quadrature)

    def transform_by_angles(self, alpha: Any, beta: Any, gamma: Any, lmax: int) -> "SphericalSignal":
        """Rotate by Ry(alpha) Rx(beta) Ry(gamma) (radians): the new signal at R x is the old one at x.

        Args:
            alpha: third rotation, about y.
            beta: second rotation, about x.
            gamma: first rotation, about y.
            lmax: up to which degree the signal is taken; what it has beyond is lost.
        """
        return transformed(self, lmax, lambda x: x.transform_by_angles(alpha, beta, gamma))

    def transform_by_matrix(self, R: Any, lmax: int) -> "SphericalSignal":
        """Rotate or mirror by an orthogonal matrix; as :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_matrix(R))

    def transform_by_axis_angle(self, axis: Any, angle: Any, lmax: int) -> "SphericalSignal":
        """Rotate about an axis by an angle in radians; as :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_axis_angle(axis, angle))

    def transform_by_quaternion(self, q: Any, lmax: int) -> "SphericalSignal":
        """Rotate by a quaternion (w, x, y, z); as :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_quaternion(q))

    # Measures, points, pictures

    def integrate(self) -> IrrepsArray:
        """The integral over the sphere, 0e or 0o by the parity of the values, of shape (..., 1); of 1 it is 4π."""
        values = check.float_array("SphericalSignal", self.grid_values)
        weights = jnp.asarray(self._grid()[2] * (4 * math.pi / self.res_alpha), values.dtype)
        integral = jnp.einsum("...ba,b->...", values, weights, precision=jax.lax.Precision.HIGHEST)
        return IrrepsArray("0e" if self.p_val == 1 else "0o", integral[..., None])

    def sample(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Draw a point of the grid, with probability in proportion to the values and the area around the point.

        Args:
            key: a random key.

        Returns:
            The index of the ring and that of the point on it, integers of the shape of the leading axes, for each
            signal another point. Its values must not be negative; they need not be normalized.

        Example:
            >>> import irreps_ops as irr
            >>> import jax
            >>> import jax.numpy as jnp
            >>> signal = irr.SphericalSignal.from_function(lambda v: jnp.exp(50 * v[1]), 50, 49, "gausslegendre")
            >>> beta, alpha = signal.sample(jax.random.key(0))
            >>> float(signal.grid_vectors[beta, alpha][1]) > 0.9
            True
        """
        from ._points import sample

        return sample(self, key)

    def find_peaks(self, lmax: int) -> tuple[np.ndarray, np.ndarray]:
        """The local maxima, as points of the grid, or near the poles of a grid with another axis.

        Not for tracing: how many there are depends on the values.

        Args:
            lmax: degree of the signal, needed for its values on the other grid.

        Returns:
            Points of shape (peaks, 3) and values of shape (peaks,), the highest first.

        Raises:
            ValueError: it is not a single signal, or has less than 3 rings or 3 points on each.

        Example:
            >>> import irreps_ops as irr
            >>> x = irr.s2_dirac([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], 6)
            >>> signal = irr.to_s2grid(x[0] + x[1] / 2, 50, 49, quadrature="soft")
            >>> signal.find_peaks(6)[0][:2].round() + 0
            array([[0., 0., 1.],
                   [0., 1., 0.]])
        """
        from ._points import find_peaks

        return find_peaks(self, lmax)

    def pad_to_plot(
        self,
        *,
        translation: Any = None,
        radius: float = 1.0,
        scale_radius_by_amplitude: bool = False,
        normalize_radius_by_max_amplitude: bool = False,
    ) -> tuple[jax.Array, jax.Array]:
        """Points and values of a closed surface: with the poles, and with each ring closed.

        Args:
            translation: where to put the centre, shape (3,).
            radius: of the sphere.
            scale_radius_by_amplitude: multiply the radius by the absolute value of the signal.
            normalize_radius_by_max_amplitude: then divide by the largest, so that no point is farther than `radius`.

        Returns:
            Points of shape (res_beta+2, res_alpha+1, 3) and values of shape (res_beta+2, res_alpha+1); those of the
            poles are the mean of the next ring.

        Raises:
            ValueError: it is not a single signal.
        """
        from ._plot import closed_surface

        size = (scale_radius_by_amplitude, normalize_radius_by_max_amplitude)
        return closed_surface(self, translation, radius, *size)

    def plotly_surface(
        self,
        translation: Any = None,
        radius: float = 1.0,
        scale_radius_by_amplitude: bool = False,
        normalize_radius_by_max_amplitude: bool = False,
    ) -> "Surface":
        """:meth:`pad_to_plot` as the arguments of ``plotly.graph_objects.Surface``, a dictionary of arrays."""
        points, values = self.pad_to_plot(
            translation=translation,
            radius=radius,
            scale_radius_by_amplitude=scale_radius_by_amplitude,
            normalize_radius_by_max_amplitude=normalize_radius_by_max_amplitude,
        )
        return {"x": points[..., 0], "y": points[..., 1], "z": points[..., 2], "surfacecolor": values}


def _flatten(x: SphericalSignal) -> tuple[tuple[Any], tuple[Quadrature, int, int]]:
    return (x.grid_values,), (x.quadrature, x.p_val, x.p_arg)


def _flatten_with_keys(x: SphericalSignal) -> tuple[tuple[Any], tuple[Quadrature, int, int]]:
    return ((jax.tree_util.GetAttrKey("grid_values"), x.grid_values),), _flatten(x)[1]


def _unflatten(static: tuple[Quadrature, int, int], leaves: Any) -> SphericalSignal:
    """Unchecked: whatever JAX puts in place of the values, tracers, shapes, None, any object."""
    x = object.__new__(SphericalSignal)
    (x.grid_values,), (x.quadrature, x.p_val, x.p_arg) = leaves, static
    return x


jax.tree_util.register_pytree_with_keys(SphericalSignal, _flatten_with_keys, _unflatten, _flatten)
