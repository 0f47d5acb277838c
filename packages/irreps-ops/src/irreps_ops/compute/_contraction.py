"""A contraction: a polynomial together with the sizes and dtypes of the arrays that it is evaluated on."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import converted, frozen
from irreps_ops._inputs._sizes import is_known

from ._cost_model import estimated
from ._polynomial import INDEX_BYTES, Polynomial
from ._terms import Access, Index, Operand


@frozen
class Contraction:
    """A polynomial and the facts about its arrays that are known when it is traced. Immutable, hashed by content.

    Attributes:
        polynomial: the polynomial to evaluate.
        batch: size of the batch. It and `sizes` may be symbolic, see :attr:`is_symbolic`.
        sizes: for each index the number of rows of its operands, as pairs (index, rows).
        dtype: of the arithmetic and of all sums, and of the arrays whose operand names no other (`Operand.dtype`).
        precision: of matrix products.
        platform: ``"cpu"``, ``"cuda"``, ... once the contraction is lowered for a platform; None while it is traced.
        exported: whether it is lowered for ``jax.export``: the program may run in another process.

    Raises:
        ValueError: a negative batch or size, or sizes of other indices than the polynomial has.

    Example:
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Contraction, Operand, Path, Polynomial
        >>> square = Path((0, 0), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> polynomial = Polynomial((Operand(3, (8,), name="x"),), (Operand(1, (8,), name="norm2"),), (square,))
        >>> print(Contraction(polynomial, batch=10, sizes=(), dtype="float32").explain())
        1 path, 3 terms
        batch of 10: 480 multiply-adds, at least 960 bytes read and 320 bytes written (float32)
          in0 x: 3 x 8, batched
          out0 norm2: 1 x 8, batched
          out0[a] += 3 terms of in0[a] in0[a]
    """

    polynomial: Polynomial
    batch: int
    sizes: tuple[tuple[str, int], ...]
    dtype: Any = converted(jnp.dtype)
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST
    platform: str | None = None
    exported: bool = False

    def validate(self) -> None:
        """Check the batch and the sizes."""
        expected, found = sorted(self.polynomial.indices), sorted(name for name, _ in self.sizes)
        if found != expected:
            raise ValueError(f"sizes must give the number of rows for the indices {expected}, got {found}")
        for name, size in (("the batch", self.batch), *((f"index {name!r}", size) for name, size in self.sizes)):
            if is_known(size) and size < 0:
                raise ValueError(f"the size of {name} must be 0 or more, got {size}")

    @property
    def is_symbolic(self) -> bool:
        """Whether the batch or a number of rows stands for any number, in a program for ``jax.export``."""
        return not all(map(is_known, (self.batch, *(size for _, size in self.sizes))))

    def estimated(self) -> "Contraction":
        """Return the contraction with typical sizes in place of symbolic ones, to estimate costs."""
        if not self.is_symbolic:
            return self
        sizes = tuple((name, estimated(size)) for name, size in self.sizes)
        return replace(self, batch=estimated(self.batch), sizes=sizes)

    def shape(self, operand: Operand) -> tuple[int, ...]:
        """Return the shape of the array of an operand."""
        match operand.access:
            case Access.BROADCAST:
                return operand.shape
            case Access.BATCHED:
                return (self.batch, *operand.shape)
            case Index(name):
                return (dict(self.sizes)[name], *operand.shape)

    def dtype_of(self, operand: Operand) -> Any:
        """Return the dtype of the array of an operand."""
        return self.dtype if operand.dtype is None else jnp.dtype(operand.dtype)

    def output_types(self) -> list[jax.ShapeDtypeStruct]:
        """Return shape and dtype of each output, in the form that ``jax.pure_callback`` takes."""
        return [jax.ShapeDtypeStruct(self.shape(o), self.dtype_of(o)) for o in self.polynomial.outputs]

    def multiply_adds(self) -> int:
        """Return the multiply-adds for the whole batch, term by term: an upper bound for executors."""
        return self.batch * self.polynomial.multiply_adds()

    def bytes(self) -> tuple[int, int]:
        """Return the bytes read and written if each array is touched once: a lower bound. Index entries count 4."""
        read, written = (
            sum(math.prod(self.shape(o)) * self.dtype_of(o).itemsize for o in operands)
            for operands in (self.polynomial.inputs, self.polynomial.outputs)
        )
        return read + INDEX_BYTES * self.batch * len(self.polynomial.indices), written

    def explain(self) -> str:
        """Describe operands and paths as :meth:`Polynomial.explain` does, with the totals over the batch."""
        read, written = self.bytes()
        return self.polynomial.described(
            f"batch of {self.batch}: {self.multiply_adds()} multiply-adds, at least {read} bytes read and "
            f"{written} bytes written ({self.dtype})"
        )
