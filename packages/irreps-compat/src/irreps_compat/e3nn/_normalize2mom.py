"""``e3nn.math.normalize2mom``: the constants by which e3nn scales activation functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops import Activation

_SAMPLE = 1_000_000  # a multiple of 16


@dataclass(frozen=True)
class Scaled:
    """The function x -> constant * function(x), which irreps_ops does not normalize again."""

    function: Callable[[jax.Array], jax.Array]
    constant: float
    is_normalized = True

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the scaled value."""
        return self.function(x) * self.constant


def normalize2mom(phi: Activation) -> Activation:
    r"""Scale a function as e3nn does, for networks that were trained with it.

    The factor is :math:`1 / \sqrt{\text{mean of } φ(z)^2}` over a million normal random numbers z, those that PyTorch
    draws on the CPU with seed 0. :func:`irreps_ops.normalize_function` computes the mean by quadrature; the two factors
    differ by about 1e-3. As in e3nn, a factor within 1e-4 of 1 is omitted.

    Args:
        phi: an elementwise JAX function that corresponds to the module's activation.

    Returns:
        The scaled function; results for equal functions are equal.

    Raises:
        ValueError: the mean square is 0 or not finite, or its value is not known while tracing.

    Example:
        >>> import jax
        >>> from irreps_compat import e3nn
        >>> e3nn.normalize2mom(jax.nn.silu).constant
        1.6791...
    """
    try:
        constant = _known_constant(phi, jnp.zeros(()).dtype)
    except TypeError:  # phi is not hashable
        constant = _constant(phi, jnp.zeros(()).dtype)
    return phi if abs(constant - 1) < 1e-4 else Scaled(phi, constant)


def _constant(phi: Activation, dtype: Any) -> float:
    with jax.ensure_compile_time_eval():
        values = phi(jnp.asarray(normal_sample(_SAMPLE), dtype))
    if isinstance(values, jax.core.Tracer):
        raise ValueError(f"normalize2mom: the values of {phi!r} are not known while tracing")
    mean = float(np.mean(np.asarray(values, np.float64) ** 2))
    if not 0 < mean < np.inf:
        raise ValueError(f"normalize2mom: the mean square of {phi!r} is {mean}")
    return mean**-0.5


_known_constant = cached(maxsize=256)(_constant)


def normal_sample(n: int) -> np.ndarray:
    """Return the numbers of ``torch.randn(n, dtype=torch.float64)`` on the CPU after ``manual_seed(0)``.

    Both use the Mersenne twister MT19937. Two of its words form a number u of 53 bits in [0, 1), with the first word as
    the upper half. In each group of sixteen such numbers, the first eight give radii sqrt(-2 log(1 - u)) and the last
    eight give angles 2 pi u of sixteen normal numbers (Box and Muller, 1958).

    Args:
        n: how many numbers, a multiple of 16.
    """
    words = np.frombuffer(np.random.RandomState(0).bytes(8 * n), "<u4").astype(np.uint64).reshape(n, 2)
    uniform = ((words[:, 0] << np.uint64(32) | words[:, 1]) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
    first, second = np.moveaxis(uniform.reshape(-1, 2, 8), 1, 0)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(n)
