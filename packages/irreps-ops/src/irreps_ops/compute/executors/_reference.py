"""The executor `reference`: an Einstein sum for each path, with dense coefficients. Slow and obvious, for tests."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._terms import Path

from ._gather_scatter import gather_inputs, scatter_outputs

_BATCH = "Z"
_COMPONENTS = "ABCDEFGHIJKLMNOPQRSTUVWXY"


class ReferenceExecutor:
    """Evaluates any contraction on any platform by its definition, at any cost."""

    irreps_api = 1
    name = "reference"

    def why_not(self, contraction: Contraction) -> str | None:
        """Return None: it can compute everything."""
        return None

    def cost(self, contraction: Contraction) -> float:
        """Return infinity: it is never the cheapest."""
        return float("inf")

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`Executor`."""
        gathered = gather_inputs(contraction, inputs, indices)
        values: list[jax.Array | None] = [None] * len(contraction.polynomial.outputs)
        for path in contraction.polynomial.paths:
            y, previous = self._path(contraction, path, gathered), values[path.output]
            values[path.output] = y if previous is None else previous + y
        return scatter_outputs(contraction, values, indices)

    def _path(self, contraction: Contraction, path: Path, gathered: list[jax.Array]) -> jax.Array:
        operands = contraction.polynomial.operands(path)
        letters = [
            (_BATCH if operand.batch_axes else "") + operand.laid_out(component, channels)
            for operand, component, channels in zip(operands, _COMPONENTS, path.subscripts, strict=False)
        ]
        factors = [gathered[i] for i in path.inputs]
        dense = path.coefficients.dense([operand.components for operand in operands])
        formula, wanted = [*letters[:-1], _COMPONENTS[: len(operands)]], letters[-1]
        factors.append(jnp.asarray(dense, contraction.dtype))
        # A letter that no factor has is broadcast, or, for the batch, summed over.
        for letter, extent in {**contraction.polynomial.extents(path), _BATCH: contraction.batch}.items():
            if letter not in "".join(formula) and (letter in wanted or letter == _BATCH):
                formula.append(letter)
                factors.append(jnp.ones(extent, contraction.dtype))
        return jnp.einsum(f"{','.join(formula)}->{wanted}", *factors, precision=jax.lax.Precision.HIGHEST)
