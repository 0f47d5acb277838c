"""Equivariant linear maps: by Schur's lemma they mix the multiplicities of equal irreps, and nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._normalization import Normalization, normalization_exponent
from irreps_ops._inputs._operands import split_last_axis
from irreps_ops.compute._terms import Access
from irreps_ops.compute._tiled_map import in_tiles

from ._linear_lowering import Block, linear_map


@dataclass(frozen=True)
class LinearPath:
    """One block of weights of a linear map.

    Attributes:
        i_in: place of the input item; -1 for a bias.
        i_out: place of the output item.
        path_shape: shape of the weights, (mul_in, mul_out); (mul_out,) for a bias.
        path_weight: what the weights are multiplied by in the forward pass.
        weight_std: standard deviation of the initial weights.
    """

    i_in: int
    i_out: int
    path_shape: tuple[int, ...]
    path_weight: float
    weight_std: float


@dataclass(frozen=True, init=False)
class FunctionalLinear:
    """Description of an equivariant linear map; call it with weights and data.

    y[w, k] = sum over the paths into its item of path_weight * sum_u W[u, w] x[u, k]: the same weights for
    all components k of an irrep. Weights of standard deviation `weight_std` and inputs of variance 1 give
    outputs of variance 1.

    Args:
        irreps_in: irreps of the input.
        irreps_out: irreps of the output; those that no path reaches are zero.
        instructions: pairs (place of the input item, place of the output item); default: all pairs of equal
            irreps.
        biases: whether the scalar outputs (0e) have a bias, or that for each output item.
        path_normalization: ``"element"``: every input channel contributes equally; ``"path"``: every path
            does; or a number between, 0 and 1.
        gradient_normalization: ``"element"``: the normalization is in the initial weights; ``"path"``: in
            the forward pass; or a number between.

    Attributes:
        paths: the :class:`LinearPath` in order; biases last.

    Raises:
        ValueError: an instruction connects different irreps or does not exist, or a bias is asked for where
            the irrep is not 0e.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o + 2e")
        >>> f.num_weights
        3
        >>> f(jnp.ones(3), ic.IrrepsArray("2x0e + 1o", jnp.arange(5.0)))
        1x0e+1x1o+1x2e [0.7071 2. 3. 4. 0. 0. 0. 0. 0. ]
    """

    irreps_in: Irreps
    irreps_out: Irreps
    paths: tuple[LinearPath, ...]

    def __init__(
        self,
        irreps_in: IntoIrreps,
        irreps_out: IntoIrreps,
        instructions: Sequence[tuple[int, int]] | None = None,
        biases: bool | Sequence[bool] | None = None,
        path_normalization: Normalization | None = None,
        gradient_normalization: Normalization | None = None,
    ) -> None:
        """See the class."""
        irreps_in, irreps_out = Irreps(irreps_in), Irreps(irreps_out)
        path_exponent = normalization_exponent(path_normalization, "element", "path_normalization")
        gradient_exponent = normalization_exponent(gradient_normalization, "path", "gradient_normalization")
        pairs = _pairs(irreps_in, irreps_out, instructions)
        paths = []
        for i_in, i_out in pairs:
            fan_in = irreps_in[i_in].mul ** path_exponent * sum(
                irreps_in[i].mul ** (1 - path_exponent) for i, o in pairs if o == i_out
            )
            scale = 1 / math.sqrt(fan_in) if fan_in > 0 else 1.0
            shape = (irreps_in[i_in].mul, irreps_out[i_out].mul)
            paths.append(LinearPath(i_in, i_out, shape, scale**gradient_exponent, scale ** (1 - gradient_exponent)))
        for i_out, biased in enumerate(_biases(irreps_out, biases)):
            if biased:
                paths.append(LinearPath(-1, i_out, (irreps_out[i_out].mul,), 1.0, 0.0))
        object.__setattr__(self, "irreps_in", irreps_in)
        object.__setattr__(self, "irreps_out", irreps_out)
        object.__setattr__(self, "paths", tuple(paths))

    @property
    def num_weights(self) -> int:
        """How many weights there are, biases included."""
        return sum(math.prod(path.path_shape) for path in self.paths)

    @cached_property
    def output_mask(self) -> np.ndarray:
        """For each component of the output whether any path reaches it, of shape (irreps_out.dim,)."""
        reached = {path.i_out for path in self.paths if 0 not in path.path_shape}
        mask = np.zeros(self.irreps_out.dim, bool)
        for i, place in enumerate(self.irreps_out.slices()):
            mask[place] = i in reached
        mask.flags.writeable = False
        return mask

    def parameter_name(self, path: LinearPath) -> str:
        """The name of the weights of a path: ``w[0,1] 8x0e,4x0e``, for a bias ``b[1] 4x0e``."""
        if path.i_in == -1:
            return f"b[{path.i_out}] {self.irreps_out[path.i_out]}"
        return f"w[{path.i_in},{path.i_out}] {self.irreps_in[path.i_in]},{self.irreps_out[path.i_out]}"

    def split_weights(self, weights: jax.Array) -> list[jax.Array]:
        """The weights of each path from one array of shape (..., num_weights).

        Raises:
            ValueError: the last axis has another length.
        """
        if weights.shape[-1:] != (self.num_weights,):
            raise ValueError(f"expected weights of shape (..., {self.num_weights}), got {tuple(weights.shape)}")
        parts = split_last_axis(weights, [math.prod(path.path_shape) for path in self.paths])
        return [w.reshape((*w.shape[:-1], *path.path_shape)) for w, path in zip(parts, self.paths, strict=True)]

    def __call__(self, weights: jax.Array | Sequence[jax.Array], x: IrrepsArray) -> IrrepsArray:
        """Apply the map.

        Args:
            weights: for each path an array of shape (*path_shape) or, when every row of the input has its
                own weights, (..., *path_shape); or one array of shape (..., num_weights).
            x: data of shape (..., irreps_in.dim).

        Returns:
            Data of shape (..., irreps_out.dim).

        Raises:
            ValueError: other irreps, or wrong shapes of weights.
        """
        x = x.rechunk(self.irreps_in)
        ws = weights if isinstance(weights, (list, tuple)) else self.split_weights(jnp.asarray(weights))
        if len(ws) != len(self.paths):
            raise ValueError(f"expected {len(self.paths)} arrays of weights, got {len(ws)}")
        leading = np.broadcast_shapes(x.shape[:-1], *map(self._own_axes, self.paths, ws))
        dtype = jnp.result_type(x.array, *ws)
        # What is known to be zero takes its weights with it.
        zero = [0 in path.path_shape or (path.i_in >= 0 and x.zero_flags[path.i_in]) for path in self.paths]
        used = tuple(n for n, known in enumerate(zero) if not known)
        data = jnp.broadcast_to(jnp.asarray(x.array, dtype), (*leading, x.shape[-1]))
        y = self._apply(used, [jnp.asarray(ws[n], dtype) for n in used], data)
        reached = {self.paths[n].i_out for n in used}
        return IrrepsArray(self.irreps_out, y, zero_flags=[i not in reached for i in range(len(self.irreps_out))])

    def _own_axes(self, path: LinearPath, w: jax.Array) -> tuple[int, ...]:
        """Return the leading axes of the weights of a path, if elements of the batch have weights of their own."""
        leading = max(w.ndim - len(path.path_shape), 0)
        if w.shape[leading:] != path.path_shape:
            raise ValueError(
                f"weights {self.parameter_name(path)} must have shape (..., {', '.join(map(str, path.path_shape))}), "
                f"got {tuple(w.shape)}"
            )
        return w.shape[:leading]

    def _apply(self, used: tuple[int, ...], ws: list[jax.Array], x: jax.Array) -> jax.Array:
        """The sum of some paths, of shape (..., irreps_out.dim); `x` has all leading axes, weights those they need."""
        leading, batch = x.shape[:-1], math.prod(x.shape[:-1])
        own = [self._own_axes(self.paths[n], w) for n, w in zip(used, ws, strict=True)]
        if any(axes not in ((), leading) for axes in own):
            # Weights that a part of the batch shares: the last axis becomes a channel, then the one before it.
            axes = [len(o) - 1 if o and o[-1] > 1 else None for o in own]
            ws = [w.squeeze(len(o) - 1) if o and o[-1] == 1 else w for w, o in zip(ws, own, strict=True)]
            return jax.vmap(partial(self._apply, used), (axes, x.ndim - 2), x.ndim - 2)(ws, x)
        kinds = [Access.BATCHED if axes else Access.BROADCAST for axes in own]
        paths = zip((self.paths[n] for n in used), kinds, strict=True)
        blocks = tuple(Block(path.i_in, path.i_out, path.path_weight, kind) for path, kind in paths)
        mapped = linear_map(self.irreps_in, self.irreps_out, blocks)
        flat = [w.reshape(batch, *w.shape[len(axes) :]) if axes else w for w, axes in zip(ws, own, strict=True)]
        y = in_tiles(
            lambda x, *weights: mapped(weights, x, x.dtype),
            [x.reshape(batch, x.shape[-1]), *flat],
            [Access.BATCHED, *kinds],
            batch,
            self.irreps_out.dim,
        )
        return y.reshape(*leading, self.irreps_out.dim)

    def matrix(self, weights: jax.Array | Sequence[jax.Array]) -> jax.Array:
        """The map as a matrix of shape (irreps_in.dim, irreps_out.dim), without its biases.

        Args:
            weights: as for calling, without leading axes.
        """
        dtype = jnp.result_type(*(jax.tree.leaves(weights) or [float]))
        unit = IrrepsArray(self.irreps_in, jnp.eye(self.irreps_in.dim, dtype=dtype))
        zero = IrrepsArray(self.irreps_in, jnp.zeros((1, self.irreps_in.dim), dtype))
        return self(weights, unit).array - self(weights, zero).array


def _pairs(
    irreps_in: Irreps, irreps_out: Irreps, instructions: Sequence[tuple[int, int]] | None
) -> list[tuple[int, int]]:
    if instructions is None:
        return [
            (i, o)
            for i, (_, ir_in) in enumerate(irreps_in)
            for o, (_, ir_out) in enumerate(irreps_out)
            if ir_in == ir_out
        ]
    for i, o in instructions:
        if not (0 <= i < len(irreps_in) and 0 <= o < len(irreps_out)):
            raise ValueError(f"instruction {(i, o)} does not exist: {irreps_in} -> {irreps_out}")
        if irreps_in[i].ir != irreps_out[o].ir:
            raise ValueError(
                f"instruction {(i, o)} connects {irreps_in[i].ir} with {irreps_out[o].ir}: "
                "a linear map connects equal irreps only (Schur's lemma)"
            )
    return list(instructions)


def _biases(irreps_out: Irreps, biases: bool | Sequence[bool] | None) -> list[bool]:
    if biases is None or isinstance(biases, bool):
        return [bool(biases) and ir.is_scalar() for _, ir in irreps_out]
    if len(biases) != len(irreps_out):
        raise ValueError(f"expected {len(irreps_out)} biases for {irreps_out}, got {len(biases)}")
    for biased, (_, ir) in zip(biases, irreps_out, strict=True):
        if biased and not ir.is_scalar():
            raise ValueError(f"a bias on {ir} of {irreps_out} is not equivariant: only 0e can have one")
    return list(biases)


def linear(
    x: IrrepsArray,
    weights: jax.Array | Sequence[jax.Array],
    irreps_out: IntoIrreps,
    *,
    path_normalization: Normalization | None = None,
    gradient_normalization: Normalization | None = None,
) -> IrrepsArray:
    """Equivariant linear map with given weights.

    Args:
        x: data of shape (..., irreps.dim).
        weights: one array of shape (num_weights,), or one for each path, see :class:`FunctionalLinear`.
        irreps_out: irreps of the result; those that the input does not have are zero.
        path_normalization: see :class:`FunctionalLinear`.
        gradient_normalization: see :class:`FunctionalLinear`.

    Returns:
        Data of shape (..., irreps_out.dim).

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> irr.linear(ic.IrrepsArray("1o", jnp.arange(3.0)), jnp.array([3.0]), "1o")
        1x1o [0. 3. 6.]
    """
    f = FunctionalLinear(
        x.irreps,
        irreps_out,
        path_normalization=path_normalization,
        gradient_normalization=gradient_normalization,
    )
    return f(weights, x)
