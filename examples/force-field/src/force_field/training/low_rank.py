"""Low-rank adaptation of linear layers (LoRA): E. Hu et al., ICLR 2022, arXiv:2106.09685."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from force_field.evaluation import Parameters


class LowRank:
    """Parameters W + (scale / rank) A B, where W are those of a trained model and A and B are trained.

    Only matrices of linear layers are adapted, those of perceptrons included; everything else stays as it is. B is zero
    at the start, so that the model is the trained one exactly. A product of a matrix is equivariant like the matrix: it
    acts on multiplicities alone.

    Attributes:
        base: the parameters of the trained model.
        initial: the factors at the start, a tree of names: below the name of each matrix its `a` and `b`.

    Args:
        base: the parameters of the trained model, a tree of names.
        rank: largest rank of the changes.
        scale: their scale.
        seed: seed of the factors A.
    """

    def __init__(self, base: Parameters, rank: int, scale: float, seed: int) -> None:
        """See the class."""
        self.base, self.factor = base, scale / rank
        rng, factors = np.random.default_rng(seed), {}
        for name, matrix in irr.bindings.tree_leaves(base):
            if not is_linear(name, matrix):
                continue
            *leading, rows, columns = matrix.shape  # weights for each species have a leading axis
            inner = min(rank, rows, columns)
            a = rng.normal(size=(*leading, rows, inner)) * rank**0.5 / inner**0.5
            factors[f"{name}/a"] = jnp.asarray(a, matrix.dtype)
            factors[f"{name}/b"] = jnp.zeros((*leading, inner, columns), matrix.dtype)
        if not factors:
            raise ValueError("expected a model with linear layers, got none")
        self.initial: dict[str, Any] = irr.bindings.tree_of_leaves(factors)

    def merge(self, factors: Parameters, base: Parameters) -> dict[str, Any]:
        """Return the parameters of the model: those of the trained one with the changes added.

        Args:
            factors: a tree like `initial`.
            base: like the attribute; an argument, so that a compiled program need not contain it.
        """
        changes, merged = dict(irr.bindings.tree_leaves(factors)), {}
        for name, matrix in irr.bindings.tree_leaves(base):
            if f"{name}/a" in changes:
                product = jnp.matmul(changes[f"{name}/a"], changes[f"{name}/b"], precision=jax.lax.Precision.HIGHEST)
                matrix = matrix + self.factor * product
            merged[name] = matrix
        return irr.bindings.tree_of_leaves(merged)


def is_linear(name: str, leaf: Any) -> bool:
    """Return whether a parameter is the matrix of a linear layer, or one for each species."""
    last = name.rsplit("/", 1)[-1]
    return (last == "w" or last.startswith("w[")) and np.ndim(leaf) in (2, 3)
