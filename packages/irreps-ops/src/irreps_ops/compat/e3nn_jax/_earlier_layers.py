"""Modules whose defaults were others in earlier releases of e3nn-jax, which had them at the top of the package."""

from dataclasses import dataclass

from . import _layers


@dataclass(frozen=True)
class Linear(_layers.Linear):
    """:class:`irreps_ops.Linear` as before release 0.19: what Schur's lemma forbids is zero, and not left out."""

    force_irreps_out: bool = True
