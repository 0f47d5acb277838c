"""Equivariant linear maps: by Schur's lemma they mix the multiplicities of equal irreps, and nothing else."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._normalization import (
    Normalization,
    gradient_normalization_exponent,
    path_normalization_exponent,
)
from irreps_ops._inputs._operands import component_mask, split_last_axis
from irreps_ops.compute._lowering import evaluate_on_batch
from irreps_ops.compute._terms import Access

from ._linear_lowering import Block, LinearLowering, linear_lowering


@dataclass(frozen=True)
class LinearWeights:
    """Description of one array of weights of a linear map.

    Attributes:
        i_in: place of the item of the input; -1 for a bias.
        i_out: place of the item of the output.
        path_shape: shape of the weights, (mul_in, mul_out); (mul_out,) for a bias.
        path_weight: factor of the weights in the forward pass.
        weight_std: standard deviation of the initial weights.

    Example:
        >>> import irreps_ops as irr
        >>> [weights] = irr.FunctionalLinear("2x0e", "3x0e").weights
        >>> weights.i_in, weights.i_out, weights.path_shape
        (0, 0, (2, 3))
    """

    i_in: int
    i_out: int
    path_shape: tuple[int, ...]
    path_weight: float
    weight_std: float


def _instructions(given: Iterable[tuple[int, int]] | None) -> tuple[tuple[int, int], ...] | None:
    return None if given is None else tuple((i_in, i_out) for i_in, i_out in given)


def _bias_flags(given: bool | Sequence[bool] | None) -> bool | tuple[bool, ...]:
    return bool(given) if given is None or isinstance(given, (bool, np.bool_)) else tuple(map(bool, given))


@frozen
class FunctionalLinear:
    r"""Description of an equivariant linear map; call it with weights and data.

    Each item of the output is a sum over the weights W that lead to it, with the factor c, the `path_weight` of
    :class:`LinearWeights`:

    .. math:: y_{wk} = \sum c \sum_u W_{uw} \, x_{uk}

    All components k of an irrep have the same weights. Weights of standard deviation `weight_std` and inputs of
    variance 1 give outputs of variance 1.

    Args:
        irreps_in: irreps of the input.
        irreps_out: irreps of the output; items that no weights lead to are zero.
        instructions: pairs (place of the item of the input, place of the item of the output); default: all pairs of
            equal irreps.
        biases: whether the scalars 0e of the output have a bias; or that for each item of the output.
        path_normalization: ``"element"``: every input channel contributes equally; ``"path"``: every instruction does;
            or a number between 0 and 1.
        gradient_normalization: ``"element"``: the normalization is in the initial weights; ``"path"``: in the forward
            pass; or a number between 0 and 1.

    Attributes:
        weights: a :class:`LinearWeights` for each instruction, in order, then for each bias.

    Raises:
        ValueError: an instruction connects different irreps or an item that does not exist; a bias for an item that is
            not 0e; biases for another number of items than the output has; unknown normalization.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o + 2e")
        >>> f.num_weights
        3
        >>> f(jnp.ones(3), irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0)))
        1x0e+1x1o+1x2e [0.7071 2. 3. 4. 0. 0. 0. 0. 0. ]
    """

    irreps_in: Irreps = converted(converter=Irreps)
    irreps_out: Irreps = converted(converter=Irreps)
    instructions: tuple[tuple[int, int], ...] | None = converted(converter=_instructions, default=None)
    biases: bool | tuple[bool, ...] = converted(converter=_bias_flags, default=None)
    path_normalization: float = converted(converter=path_normalization_exponent, default=None)
    gradient_normalization: float = converted(converter=gradient_normalization_exponent, default=None)

    def validate(self) -> None:
        """Check that instructions and biases fit the irreps."""
        for i, o in self.instructions or ():
            if not (0 <= i < len(self.irreps_in) and 0 <= o < len(self.irreps_out)):
                raise ValueError(f"instruction {(i, o)} does not exist: {self.irreps_in} -> {self.irreps_out}")
            if self.irreps_in[i].ir != self.irreps_out[o].ir:
                raise ValueError(
                    f"instruction {(i, o)} connects {self.irreps_in[i].ir} with {self.irreps_out[o].ir}: "
                    "a linear map connects equal irreps only (Schur's lemma)"
                )
        if isinstance(self.biases, bool):
            return
        if len(self.biases) != len(self.irreps_out):
            raise ValueError(f"expected {len(self.irreps_out)} biases for {self.irreps_out}, got {len(self.biases)}")
        for biased, (_, ir) in zip(self.biases, self.irreps_out, strict=True):
            if biased and not ir.is_scalar():
                raise ValueError(f"a bias on {ir} of {self.irreps_out} is not equivariant: only 0e can have one")

    @cached_property
    def weights(self) -> tuple[LinearWeights, ...]:
        """Descriptions of the arrays of weights: for each instruction, in order, then for each bias."""
        pairs = self._pairs()
        found = []
        for i_in, i_out in pairs:
            mul = self.irreps_in[i_in].mul
            fan_in = mul**self.path_normalization * sum(
                self.irreps_in[i].mul ** (1 - self.path_normalization) for i, o in pairs if o == i_out
            )
            scale = 1 / math.sqrt(fan_in) if fan_in > 0 else 1.0
            forward, std = scale**self.gradient_normalization, scale ** (1 - self.gradient_normalization)
            found.append(LinearWeights(i_in, i_out, (mul, self.irreps_out[i_out].mul), forward, std))
        scalars = [ir.is_scalar() for _, ir in self.irreps_out]
        biased = [self.biases and scalar for scalar in scalars] if isinstance(self.biases, bool) else self.biases
        for i_out, has_bias in enumerate(biased):
            if has_bias:
                found.append(LinearWeights(-1, i_out, (self.irreps_out[i_out].mul,), 1.0, 0.0))
        return tuple(found)

    def _pairs(self) -> Sequence[tuple[int, int]]:
        """Return the instructions, by default all pairs of equal irreps."""
        if self.instructions is not None:
            return self.instructions
        return [
            (i, o)
            for i, (_, ir_in) in enumerate(self.irreps_in)
            for o, (_, ir_out) in enumerate(self.irreps_out)
            if ir_in == ir_out
        ]

    @property
    def num_weights(self) -> int:
        """The number of weights, biases included."""
        return sum(math.prod(w.path_shape) for w in self.weights)

    @cached_property
    def output_mask(self) -> np.ndarray:
        """For each component of the output whether any weights lead to it, of shape (irreps_out.dim,)."""
        return component_mask(self.irreps_out, {w.i_out for w in self.weights if 0 not in w.path_shape})

    def parameter_name(self, weights: LinearWeights) -> str:
        """Return the name of an array of weights: ``w[0,1] 8x0e,4x0e``, for a bias ``b[1] 4x0e``."""
        if weights.i_in == -1:
            return f"b[{weights.i_out}] {self.irreps_out[weights.i_out]}"
        items = f"{self.irreps_in[weights.i_in]},{self.irreps_out[weights.i_out]}"
        return f"w[{weights.i_in},{weights.i_out}] {items}"

    def split_weights(self, weights: jax.Array) -> list[jax.Array]:
        """Split one array of shape (..., num_weights) into the arrays of weights, of shape (..., *path_shape).

        Raises:
            ValueError: the last axis has another length.
        """
        if weights.shape[-1:] != (self.num_weights,):
            raise ValueError(f"expected weights of shape (..., {self.num_weights}), got {tuple(weights.shape)}")
        parts = split_last_axis(weights, [math.prod(w.path_shape) for w in self.weights])
        return [x.reshape((*x.shape[:-1], *w.path_shape)) for x, w in zip(parts, self.weights, strict=True)]

    def __call__(self, weights: jax.Array | Sequence[jax.Array], x: IrrepsArray) -> IrrepsArray:
        """Apply the map.

        Args:
            weights: an array of shape (*path_shape) for each of `self.weights` or, where elements of the batch have
                weights of their own, (..., *path_shape); or one array of shape (..., num_weights).
            x: data of shape (..., irreps_in.dim); leading axes broadcast.

        Returns:
            Data of shape (..., irreps_out.dim).

        Raises:
            ValueError: other irreps, or weights of a wrong shape.
        """
        x = x.rechunk(self.irreps_in)
        arrays = list(weights) if isinstance(weights, (list, tuple)) else self.split_weights(jnp.asarray(weights))
        if len(arrays) != len(self.weights):
            raise ValueError(f"expected {len(self.weights)} arrays of weights, got {len(arrays)}")
        leading = jnp.broadcast_shapes(x.shape[:-1], *map(self._leading_axes, self.weights, arrays))
        dtype = jnp.result_type(x.array, *arrays)
        # Weights of items that are known to be zero are not read.
        used = [
            (w, array)
            for w, array in zip(self.weights, arrays, strict=True)
            if 0 not in w.path_shape and not (w.i_in >= 0 and x.zero_flags[w.i_in])
        ]

        def lower(accesses: tuple[Access, ...]) -> LinearLowering:
            kinds = zip(used, accesses[1:], strict=True)
            blocks = tuple(Block(w.i_in, w.i_out, w.path_weight, kind) for (w, _), kind in kinds)
            return linear_lowering(self.irreps_in, self.irreps_out, blocks)

        y = evaluate_on_batch(
            lower,
            [jnp.broadcast_to(jnp.asarray(x.array, dtype), (*leading, x.shape[-1]))],
            [jnp.asarray(array, dtype) for _, array in used],
            [len(w.path_shape) for w, _ in used],
        )
        reached = {w.i_out for w, _ in used}
        return IrrepsArray(self.irreps_out, y, zero_flags=[i not in reached for i in range(len(self.irreps_out))])

    def _leading_axes(self, weights: LinearWeights, array: jax.Array) -> tuple[int, ...]:
        """Return the leading axes of an array of weights, if elements of the batch have weights of their own."""
        shape = jnp.shape(array)
        leading = max(len(shape) - len(weights.path_shape), 0)
        if shape[leading:] != weights.path_shape:
            expected = ", ".join(map(str, weights.path_shape))
            raise ValueError(f"weights {self.parameter_name(weights)} must have shape (..., {expected}), got {shape}")
        return shape[:leading]

    def matrix(self, weights: jax.Array | Sequence[jax.Array]) -> jax.Array:
        """Return the map without its biases as a matrix of shape (irreps_in.dim, irreps_out.dim).

        Args:
            weights: as for calling, without leading axes.
        """
        dtype = jnp.result_type(*(jax.tree.leaves(weights) or [float]))
        unit = IrrepsArray(self.irreps_in, jnp.eye(self.irreps_in.dim, dtype=dtype))
        zero = IrrepsArray(self.irreps_in, jnp.zeros((1, self.irreps_in.dim), dtype))
        return self(weights, unit).array - self(weights, zero).array


def linear(
    x: IrrepsArray,
    weights: jax.Array | Sequence[jax.Array],
    irreps_out: IntoIrreps,
    *,
    path_normalization: Normalization | None = None,
    gradient_normalization: Normalization | None = None,
) -> IrrepsArray:
    """Apply the equivariant linear map between all equal irreps.

    Args:
        x: data of shape (..., irreps.dim).
        weights: one array of shape (num_weights,), or an array for each pair of equal irreps, see
            :class:`FunctionalLinear`.
        irreps_out: irreps of the result; those that the input does not have are zero.
        path_normalization: see :class:`FunctionalLinear`.
        gradient_normalization: see :class:`FunctionalLinear`.

    Returns:
        Data of shape (..., irreps_out.dim).

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.linear(irr.IrrepsArray("1o", jnp.arange(3.0)), jnp.array([3.0]), "1o")
        1x1o [0. 3. 6.]
    """
    return FunctionalLinear(x.irreps, irreps_out, None, None, path_normalization, gradient_normalization)(weights, x)
