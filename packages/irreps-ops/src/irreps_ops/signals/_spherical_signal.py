"""Signals on the sphere: functions given by their values on a grid."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IrrepsArray
from irreps_ops._inputs import _checks as check
from irreps_ops.pointwise._activation import Activation, function_parity

from . import _arithmetic as arithmetic
from ._base import SignalBase
from ._grid import Quadrature, grid_vectors, s2_grid
from ._plot import Surface, closed_surface
from ._points import find_peaks, sample
from ._transforms import resampled, transformed


@dataclass(eq=False, repr=False)
class SphericalSignal(SignalBase):
    r"""A function on the sphere, given by its values on the grid of :func:`s2_grid`.

    The inversion of space I maps the function to

    .. math:: (I f)(x) = p_\text{val} \, f(p_\text{arg} \, x)

    A pytree with one leaf, the values. No function changes them, but they may be assigned. Signals on the same grid
    add, multiply and divide point by point; so do a signal and a scalar: a number, an array of the shape of the leading
    axes, or an IrrepsArray 0e or 0o with these leading axes.

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
        """Return the signal of a function at the points of a grid.

        Args:
            func: a function of a unit vector, an array of shape (3,). It returns a number or an array, whose axes
                become the leading axes of the signal.
            res_beta: number of rings.
            res_alpha: number of points on each ring.
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
        """Return a signal of zeros."""
        return SphericalSignal(jnp.zeros((res_beta, res_alpha), dtype), quadrature, p_val=p_val, p_arg=p_arg)

    # Arithmetic

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
        """Apply a function to each value. Under an even function odd values (``p_val = -1``) become even.

        Raises:
            ValueError: the values are odd and the function is neither even nor odd, so the result is not equivariant.

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

    # Transformations of the coefficients

    def resample(
        self, res_beta: int, res_alpha: int, lmax: int, quadrature: Quadrature | None = None
    ) -> "SphericalSignal":
        """Return the signal on another grid.

        Args:
            res_beta: number of rings.
            res_alpha: number of points on each ring.
            lmax: degree of the signal; higher degrees are lost.
            quadrature: of the new grid (default: that of this grid).

        Example:
            >>> import irreps_ops as irr
            >>> signal = irr.SphericalSignal.from_function(lambda v: v[0], 6, 5, "soft")
            >>> x = irr.from_s2grid(signal.resample(4, 9, lmax=1, quadrature="gausslegendre"), "1o")
            >>> [round(float(c), 3) + 0 for c in x.array * 3**0.5]
            [1.0, 0.0, 0.0]
        """
        return resampled(self, res_beta, res_alpha, lmax, quadrature)

    def transform_by_angles(self, alpha: Any, beta: Any, gamma: Any, lmax: int) -> "SphericalSignal":
        """Rotate by :math:`R = R_y(α) R_x(β) R_y(γ)`: the new signal at :math:`R x` is the old one at x.

        Args:
            alpha: third rotation, about y, in radians, as are the others.
            beta: second rotation, about x.
            gamma: first rotation, about y.
            lmax: degree of the signal; higher degrees are lost.
        """
        return transformed(self, lmax, lambda x: x.transform_by_angles(alpha, beta, gamma))

    def transform_by_matrix(self, R: Any, lmax: int) -> "SphericalSignal":
        """Rotate or mirror by an orthogonal matrix; see :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_matrix(R))

    def transform_by_axis_angle(self, axis: Any, angle: Any, lmax: int) -> "SphericalSignal":
        """Rotate about an axis by an angle in radians; see :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_axis_angle(axis, angle))

    def transform_by_quaternion(self, q: Any, lmax: int) -> "SphericalSignal":
        """Rotate by a quaternion (w, x, y, z); see :meth:`transform_by_angles`."""
        return transformed(self, lmax, lambda x: x.transform_by_quaternion(q))

    # Integrals, points and plots

    def integrate(self) -> IrrepsArray:
        """Return the integral over the sphere, of area 4π: 0e or 0o by the parity of the values, of shape (..., 1)."""
        values = check.float_array("SphericalSignal", self.grid_values)
        weights = jnp.asarray(self._grid()[2] * (4 * math.pi / self.res_alpha), values.dtype)
        integral = jnp.einsum("...ba,b->...", values, weights, precision=jax.lax.Precision.HIGHEST)
        return IrrepsArray("0e" if self.p_val == 1 else "0o", integral[..., None])

    def sample(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Draw a point of the grid, with a probability proportional to the value and the area around the point.

        Args:
            key: a random key.

        Returns:
            Indices of the ring and of the point on it, integers of the shape of the leading axes, one point for each
            signal. The values must not be negative and need not be normalized.

        Example:
            >>> import irreps_ops as irr
            >>> import jax
            >>> import jax.numpy as jnp
            >>> signal = irr.SphericalSignal.from_function(lambda v: jnp.exp(50 * v[1]), 50, 49, "gausslegendre")
            >>> beta, alpha = signal.sample(jax.random.key(0))
            >>> float(signal.grid_vectors[beta, alpha][1]) > 0.9
            True
        """
        return sample(self, key)

    def find_peaks(self, lmax: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the local maxima among the points of the grid and, near its poles, of a grid with another axis.

        Not under ``jax.jit``: the number of maxima depends on the values.

        Args:
            lmax: degree of the signal, needed for its values on the other grid.

        Returns:
            Points of shape (peaks, 3) and values of shape (peaks,), the highest first.

        Raises:
            ValueError: there are leading axes, or fewer than 3 rings or 3 points on each.

        Example:
            >>> import irreps_ops as irr
            >>> x = irr.s2_dirac([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], 6)
            >>> signal = irr.to_s2grid(x[0] + x[1] / 2, 50, 49, quadrature="soft")
            >>> signal.find_peaks(6)[0][:2].round() + 0
            array([[0., 0., 1.],
                   [0., 1., 0.]])
        """
        return find_peaks(self, lmax)

    def pad_to_plot(
        self,
        *,
        translation: Any = None,
        radius: float = 1.0,
        scale_radius_by_amplitude: bool = False,
        normalize_radius_by_max_amplitude: bool = False,
    ) -> tuple[jax.Array, jax.Array]:
        """Return points and values of a closed surface: with both poles, and with closed rings.

        Args:
            translation: position of the centre, of shape (3,).
            radius: of the sphere.
            scale_radius_by_amplitude: multiply the radius by the absolute value of the signal.
            normalize_radius_by_max_amplitude: then divide by its maximum, so that the largest radius is `radius`.

        Returns:
            Points of shape (res_beta+2, res_alpha+1, 3) and values of shape (res_beta+2, res_alpha+1). The value at a
            pole is the mean of the nearest ring.

        Raises:
            ValueError: there are leading axes.
        """
        size = (scale_radius_by_amplitude, normalize_radius_by_max_amplitude)
        return closed_surface(self, translation, radius, *size)

    def plotly_surface(
        self,
        translation: Any = None,
        radius: float = 1.0,
        scale_radius_by_amplitude: bool = False,
        normalize_radius_by_max_amplitude: bool = False,
    ) -> Surface:
        """Return :meth:`pad_to_plot` as arguments of ``plotly.graph_objects.Surface``, a dictionary of arrays."""
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
    """Return a signal without checks: JAX puts tracers, shapes, None or any object in place of the values."""
    x = object.__new__(SphericalSignal)
    (x.grid_values,), (x.quadrature, x.p_val, x.p_arg) = leaves, static
    return x


jax.tree_util.register_pytree_with_keys(SphericalSignal, _flatten_with_keys, _unflatten, _flatten)
