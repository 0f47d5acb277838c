"""The executor ``llvm``."""

from collections.abc import Mapping, Sequence

import jax

from irreps_ops.compute import Contraction


class LlvmExecutor:
    """Computes contractions with machine code."""

    name = "llvm"
    irreps_api = 1

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason why it cannot compute this, in words; None if it can."""
        return "not built yet"

    def cost(self, contraction: Contraction) -> float:
        """Return an estimate of the run time in nanoseconds."""
        return float("inf")

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """Compute the outputs."""
        raise ValueError(f"executor 'llvm' cannot compute this: {self.why_not(contraction)}; use executor 'xla'")


EXECUTOR = LlvmExecutor()
