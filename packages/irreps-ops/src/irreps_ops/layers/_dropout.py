"""The layer `Dropout`: it sets random irreps to zero."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs

from ._fields import optional


@frozen
class Dropout:
    r"""Equivariant dropout, which sets random irreps to zero in training.

    .. math:: y_{zac} = \frac{b_{zc}}{1 - p} \, x_{zac}

    Here z is the batch axis, a stands for all other axes and c for the irreps. b is 1 with probability :math:`1 - p`
    and 0 otherwise, one draw for each element of the batch and each irrep, so the expectation of y is x. In evaluation
    y is x.

    Args:
        p: probability that an irrep is set to zero.
        irreps: expected irreps of the data (default: any).

    Raises:
        ValueError: `p` is not a probability, or data of other irreps.
        TypeError: data that is not an IrrepsArray.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("2x1o", jnp.ones((5, 6)))
        >>> y = irr.apply(irr.Dropout(0.5), {}, x, key=jax.random.key(0))
        >>> [set(row) <= {(0.0,) * 3, (2.0,) * 3} for row in [[tuple(v[:3]), tuple(v[3:])] for v in y.array.tolist()]]
        [True, True, True, True, True]
        >>> (irr.apply(irr.Dropout(0.5), {}, x, is_training=False).array == x.array).all()
        Array(True, dtype=bool)
    """

    p: float
    _: KW_ONLY
    irreps: IntoIrreps = converted(optional(Irreps), default=None)

    def validate(self) -> None:
        """Refuse a `p` that is not a probability."""
        if not 0 <= self.p <= 1:
            raise ValueError(f"Dropout expects a probability p between 0 and 1, got {self.p!r}")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, *inputs: Any, is_training: bool = True) -> IrrepsArray:
        """Apply dropout: ``(x)`` or, with a random key in place of the scope's key "dropout", ``(key, x)``.

        Args:
            scope: supplies the random key.
            inputs: data of shape (batch, ..., irreps.dim), optionally preceded by a key and followed by `is_training`.
            is_training: whether irreps are set to zero.

        Returns:
            Data of the same irreps and shape.
        """
        given = list(inputs)
        key = None if not given or isinstance(given[0], IrrepsArray) else given.pop(0)
        if not given or len(given) > 2 or not isinstance(given[0], IrrepsArray):
            raise TypeError(
                "Dropout is called as (x), (key, x) or (key, x, is_training) with an IrrepsArray x, got "
                + ", ".join(type(value).__name__ for value in inputs)
            )
        (x,) = floating(given[0])
        x = x if self.irreps is None else check_irreps(describe_layer(scope, self), "irreps", self.irreps, x)
        return self._noisy(scope, key, x) if (given[1] if len(given) == 2 else is_training) else x

    def _noisy(self, scope: Scope, key: jax.Array | None, x: IrrepsArray) -> IrrepsArray:
        if self.p in (0, 1):
            return x * (1 - self.p)
        key = scope.key("dropout") if key is None else key
        shape = (*x.shape[:1], *(1,) * (x.ndim - 2)) if x.ndim > 1 else ()
        kept = jax.random.bernoulli(key, 1 - self.p, (*shape, x.irreps.num_irreps))
        return x * IrrepsArray([(x.irreps.num_irreps, "0e")], kept.astype(x.dtype) / (1 - self.p))
