"""The general tensor product: which irreps meet, how their multiplicities are connected, and where weights are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, clebsch_gordan_sign
from irreps_ops._inputs._normalization import IrrepNormalization, Normalization, normalization_exponent, product_scale
from irreps_ops._inputs._operands import floating, split_last_axis
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access

from ._evaluate import evaluate_product
from ._lowering import MODES, Connection, extents, product_polynomial

_VARIANCES = ("in1_var", "in2_var", "out_var")


@dataclass(frozen=True)
class Instruction:
    """Two items of the inputs that make an item of the output.

    Attributes:
        i_in1: place of the item of the first input.
        i_in2: place of the item of the second input.
        i_out: place of the item of the output.
        connection_mode: how multiplicities u of the first, v of the second and w of the output are connected: "uvw",
            "uvu", "uvv", "uuw", "uuu", "uvuv", or "uvu<v" and "u<vw" for the pairs u < v.
        has_weight: whether there are weights.
        path_weight: what the bare coefficients are multiplied by in the forward pass; its sign is that of the
            convention.
        weight_std: standard deviation of the initial weights.
        path_shape: shape of the weights: a length for each letter of the mode.
    """

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool
    path_weight: float
    weight_std: float
    path_shape: tuple[int, ...]


@dataclass(frozen=True, init=False)
class FunctionalTensorProduct:
    """Description of a tensor product with given connections and weights; call it with weights and data.

    An instruction (i_in1, i_in2, i_out, mode, has_weight) adds to the item i_out, for mode "uvw",

        z[w, k] += path_weight * sum_uvij W[u, v, w] C[i, j, k] x[u, i] y[v, j]

    with the Clebsch-Gordan coefficients C; for the other modes

        ======== ============================================ ===============
        mode     z[..., k]                                    shape of W
        ======== ============================================ ===============
        uvu      z[u] += sum_v W[u, v] x[u] y[v]              (mul1, mul2)
        uvv      z[v] += sum_u W[u, v] x[u] y[v]              (mul1, mul2)
        uuw      z[w] += sum_u W[u, w] x[u] y[u]              (mul1, mul_out)
        uuu      z[u] += W[u] x[u] y[u]                       (mul1,)
        uvuv     z[u v] += W[u, v] x[u] y[v]                  (mul1, mul2)
        uvu<v    z[u<v] += W[u<v] x[u] y[v]                   (pairs,)
        u<vw     z[w] += sum_u<v W[u<v, w] x[u] y[v]          (pairs, mul_out)
        ======== ============================================ ===============

    It is evaluated by the compute core; u x v products are made only where that is the cheapest way.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output; items that no instruction reaches are zero.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]). The optional factor (default 1)
            multiplies the variance of the path.
        in1_var: variance of the components of each item of the first input (default: 1).
        in2_var: likewise of the second.
        out_var: wanted variance of the components of each item of the output (default: 1).
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``, see :func:`tensor_product`.
        path_normalization: ``"element"``: every product of multiplicities contributes equally; ``"path"``: every
            instruction does; or a number between, 0 and 1.
        gradient_normalization: ``"element"``: the normalization is in the initial weights; ``"path"``: in the
            forward pass; or a number between.
        convention: whose signs the Clebsch-Gordan coefficients have, see :func:`irreps_core.clebsch_gordan_sign`.

    Attributes:
        instructions: the :class:`Instruction` in order.

    Raises:
        ValueError: an instruction that does not exist, breaks the selection rules, connects multiplicities that do
            not fit its mode, or has a negative weight; variances that are not as many as items.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> instructions = [(0, 0, 0, "uvu", True), (0, 0, 1, "uvu", False)]
        >>> f = irr.FunctionalTensorProduct("2x1o", "1o", "2x0e + 2x1e", instructions)
        >>> f.num_weights
        2
        >>> x, y = ic.IrrepsArray("2x1o", jnp.arange(6.0)), ic.IrrepsArray("1o", jnp.array([0.0, 1.0, 0.0]))
        >>> f(jnp.ones(2), x, y).irreps
        2x0e+2x1e
        >>> print(f.polynomial().explain())
        2 paths...
    """

    irreps_in1: Irreps
    irreps_in2: Irreps
    irreps_out: Irreps
    instructions: tuple[Instruction, ...]

    def __init__(
        self,
        irreps_in1: IntoIrreps,
        irreps_in2: IntoIrreps,
        irreps_out: IntoIrreps,
        instructions: Sequence[Sequence[Any]],
        in1_var: Sequence[float] | None = None,
        in2_var: Sequence[float] | None = None,
        out_var: Sequence[float] | None = None,
        irrep_normalization: IrrepNormalization = "component",
        path_normalization: Normalization | None = None,
        gradient_normalization: Normalization | None = None,
        convention: str = "e3nn",
    ) -> None:
        """See the class."""
        irreps = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
        asked = [_checked(tuple(instruction), irreps) for instruction in instructions]
        variances = [
            _variances(name, given, of)
            for name, given, of in zip(_VARIANCES, (in1_var, in2_var, out_var), irreps, strict=True)
        ]
        path_exponent = normalization_exponent(path_normalization, "element", "path_normalization")
        gradient_exponent = normalization_exponent(gradient_normalization, "path", "gradient_normalization")
        # The variance of what an instruction adds to its item, weights being 1.
        added = [variances[0][i1] * variances[1][i2] * sizes.fan_in for (i1, i2, _), _, _, _, sizes in asked]
        found = []
        for (places, mode, has_weight, weight, sizes), variance in zip(asked, added, strict=True):
            total = sum(
                v ** (1 - path_exponent) for v, other in zip(added, asked, strict=True) if other[0][2] == places[2]
            )
            total *= variance**path_exponent
            scale = math.sqrt(variances[2][places[2]] * weight / (total if total > 0 else 1.0))
            meeting = [of[i].ir for of, i in zip(irreps, places, strict=True)]
            scale *= product_scale(irrep_normalization, *(ir.dim for ir in meeting))
            forward = scale**gradient_exponent if has_weight else scale
            forward *= clebsch_gordan_sign(convention, *(ir.l for ir in meeting))
            std = scale ** (1 - gradient_exponent) if has_weight else 1.0
            found.append(Instruction(*places, mode, has_weight, forward, std, sizes.weights))
        for name, value in zip(("irreps_in1", "irreps_in2", "irreps_out"), irreps, strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "instructions", tuple(found))

    @property
    def weighted(self) -> tuple[Instruction, ...]:
        """The instructions that have weights."""
        return tuple(ins for ins in self.instructions if ins.has_weight)

    @property
    def num_weights(self) -> int:
        """How many weights there are."""
        return sum(math.prod(ins.path_shape) for ins in self.weighted)

    @cached_property
    def output_mask(self) -> np.ndarray:
        """For each component of the output whether any instruction reaches it, of shape (irreps_out.dim,)."""
        reached = {ins.i_out for ins in self.instructions if ins.path_weight != 0 and 0 not in ins.path_shape}
        mask = np.zeros(self.irreps_out.dim, bool)
        for i, place in enumerate(self.irreps_out.slices()):
            mask[place] = i in reached
        mask.flags.writeable = False
        return mask

    def parameter_name(self, instruction: Instruction) -> str:
        """The name of the weights of an instruction: ``w[0,1,0] 8x0e,1x1o,4x1o``."""
        i1, i2, i_out = instruction.i_in1, instruction.i_in2, instruction.i_out
        return f"w[{i1},{i2},{i_out}] {self.irreps_in1[i1]},{self.irreps_in2[i2]},{self.irreps_out[i_out]}"

    def split_weights(self, weights: jax.Array) -> list[jax.Array]:
        """The weights of each instruction that has some, from one array of shape (..., num_weights).

        Raises:
            ValueError: the last axis has another length.
        """
        parts = split_last_axis(self._checked_weights(weights), [math.prod(ins.path_shape) for ins in self.weighted])
        return [w.reshape((*w.shape[:-1], *ins.path_shape)) for w, ins in zip(parts, self.weighted, strict=True)]

    def polynomial(self, *, own_weights: bool = False) -> Polynomial:
        """What the compute core is given first; ``print(f.polynomial().explain())`` shows it.

        Sums over multiplicities ("uvw" where mul1 or mul2 is 1, "uuw", "u<vw") are made of its outputs in a second
        polynomial, which takes the weights of these instructions: a matrix product for each item of the output.

        Args:
            own_weights: each row of the data has its own weights.
        """
        connections = self._connections(Access.BATCHED if own_weights else Access.BROADCAST)
        return product_polynomial(self.irreps_in1, self.irreps_in2, self.irreps_out, tuple(connections)).polynomial

    def __call__(
        self, weights: jax.Array | Sequence[jax.Array], x: IrrepsArray, y: IrrepsArray, *, executor: Choice = None
    ) -> IrrepsArray:
        """Apply the product.

        Args:
            weights: for each instruction that has weights an array of shape (*path_shape) or, when every row of the
                data has its own, (..., *path_shape); or one array of shape (..., num_weights).
            x: data of shape (..., irreps_in1.dim).
            y: data of shape (..., irreps_in2.dim); leading axes broadcast.
            executor: who computes it, see :func:`evaluate`.

        Returns:
            Data of shape (..., irreps_out.dim).

        Raises:
            ValueError: other irreps, or wrong shapes of weights.
        """
        shapes = [ins.path_shape for ins in self.weighted]
        if isinstance(weights, (list, tuple)):
            arrays = self._flat(weights)
        else:
            arrays = [self._checked_weights(jnp.asarray(weights))] if shapes else []
        x, y = floating(x, y)
        x, y = x.rechunk(self.irreps_in1), y.rechunk(self.irreps_in2)
        return evaluate_product(
            x, y, self.irreps_out, self._connections(Access.BROADCAST), arrays, shapes, executor=executor
        )

    def _flat(self, weights: Sequence[jax.Array]) -> list[jax.Array]:
        """The weights of each instruction as an array of shape (..., numbers)."""
        if len(weights) != len(self.weighted):
            raise ValueError(f"expected {len(self.weighted)} arrays of weights, got {len(weights)}")
        found = []
        for w, ins in zip(weights, self.weighted, strict=True):
            axes = jnp.ndim(w) - len(ins.path_shape)
            if jnp.shape(w)[max(axes, 0) :] != ins.path_shape:
                raise ValueError(
                    f"weights {self.parameter_name(ins)} must have shape (..., {', '.join(map(str, ins.path_shape))}), "
                    f"got {jnp.shape(w)}"
                )
            found.append(jnp.reshape(w, (*jnp.shape(w)[:axes], math.prod(ins.path_shape))))
        return found

    def _checked_weights(self, weights: jax.Array) -> jax.Array:
        """One array of the weights of all instructions."""
        if weights.shape[-1:] != (self.num_weights,):
            raise ValueError(f"expected weights of shape (..., {self.num_weights}), got {tuple(weights.shape)}")
        return weights

    def _connections(self, weights: str) -> list[Connection]:
        found = []
        for ins in self.instructions:
            places = ins.i_in1, ins.i_in2, ins.i_out
            kind = weights if ins.has_weight else None
            found.append(Connection(*places, ins.connection_mode, ins.path_weight, kind))
        return found

    def matrix(self, weights: jax.Array | Sequence[jax.Array], y: IrrepsArray) -> jax.Array:
        """The product with `y` as a matrix that acts on the first input.

        Args:
            weights: as for calling, without leading axes.
            y: data of shape (..., irreps_in2.dim).

        Returns:
            Of shape (..., irreps_in1.dim, irreps_out.dim).
        """
        unit = IrrepsArray(self.irreps_in1, jnp.eye(self.irreps_in1.dim, dtype=y.dtype))
        return self(weights, unit, y.reshape((*y.shape[:-1], 1, y.shape[-1]))).array


class FunctionalFullyConnectedTensorProduct(FunctionalTensorProduct):
    """Description of a tensor product in which everything that may be connected is, with weights: mode "uvw".

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        in1_var: see :class:`FunctionalTensorProduct`, as the rest.
        in2_var: variance of the second input.
        out_var: variance of the output.
        irrep_normalization: of the Clebsch-Gordan coefficients.
        path_normalization: of the sum of paths.
        gradient_normalization: of weights and paths.
        convention: of the signs of the coefficients.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalFullyConnectedTensorProduct("8x0e + 8x1o", "0e + 1o", "4x0e + 4x1o")
        >>> [f.parameter_name(ins) for ins in f.instructions][:2]
        ['w[0,0,0] 8x0e,1x0e,4x0e', 'w[0,1,1] 8x0e,1x1o,4x1o']
        >>> f(jnp.ones(f.num_weights), ic.ones("8x0e + 8x1o"), ic.ones("0e + 1o")).irreps
        4x0e+4x1o
    """

    def __init__(
        self,
        irreps_in1: IntoIrreps,
        irreps_in2: IntoIrreps,
        irreps_out: IntoIrreps,
        in1_var: Sequence[float] | None = None,
        in2_var: Sequence[float] | None = None,
        out_var: Sequence[float] | None = None,
        irrep_normalization: IrrepNormalization = "component",
        path_normalization: Normalization | None = None,
        gradient_normalization: Normalization | None = None,
        convention: str = "e3nn",
    ) -> None:
        """See the class."""
        in1, in2, out = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
        super().__init__(
            in1,
            in2,
            out,
            fully_connected(in1, in2, out),
            in1_var,
            in2_var,
            out_var,
            irrep_normalization,
            path_normalization,
            gradient_normalization,
            convention,
        )


def fully_connected(in1: Irreps, in2: Irreps, out: Irreps) -> list[tuple[int, int, int, str, bool]]:
    """The instructions that connect everything that may be connected, with weights."""
    return [
        (i1, i2, i_out, "uvw", True)
        for i1, (_, ir1) in enumerate(in1)
        for i2, (_, ir2) in enumerate(in2)
        for i_out, (_, ir) in enumerate(out)
        if ir in ir1 * ir2
    ]


class _Sizes(NamedTuple):
    """Of an instruction.

    Attributes:
        weights: shape of its weights.
        fan_in: how many products of multiplicities each multiplicity of the output is a sum of.
    """

    weights: tuple[int, ...]
    fan_in: int


def _checked(
    instruction: tuple[Any, ...], irreps: tuple[Irreps, ...]
) -> tuple[tuple[int, int, int], str, bool, float, _Sizes]:
    """Places, mode, whether it has weights, its factor and sizes."""
    if len(instruction) not in (5, 6):
        raise ValueError(
            "an instruction is (i_in1, i_in2, i_out, mode, has_weight[, path_weight]), got " + repr(instruction)
        )
    places, mode, has_weight = instruction[:3], instruction[3], bool(instruction[4])
    weight = float(instruction[5]) if len(instruction) == 6 else 1.0
    if mode not in MODES:
        raise ValueError(f"the connection mode of instruction {instruction} must be one of {', '.join(MODES)}")
    for place, of, name in zip(places, irreps, ("irreps_in1", "irreps_in2", "irreps_out"), strict=True):
        if not 0 <= place < len(of):
            raise ValueError(f"instruction {instruction}: {name}={of} has no item {place}")
    if not 0 <= weight < math.inf:
        raise ValueError(f"the path_weight of instruction {instruction} must be 0 or more, got {weight}")
    (mul1, ir1), (mul2, ir2), (mul, ir) = (of[i] for of, i in zip(irreps, places, strict=True))
    if ir not in ir1 * ir2:
        raise ValueError(f"instruction {instruction}: {ir} is not in {ir1} x {ir2}, which is {Irreps(ir1 * ir2)}")
    letters, first, second, out = MODES[mode]
    found = extents(mul1, mul2, mul)
    if first == second and mul1 != mul2:
        raise ValueError(
            f"instruction {instruction}: {mode} needs equal multiplicities, got {mul1}x{ir1} and {mul2}x{ir2}"
        )
    if mul != math.prod(found[letter] for letter in out):
        expected = math.prod(found[letter] for letter in out)
        raise ValueError(f"instruction {instruction}: {mode} makes {expected}x{ir}, but the output has {mul}x{ir}")
    fan_in = math.prod(found[letter] for letter in dict.fromkeys(first + second) if letter not in out)
    return places, mode, has_weight, weight, _Sizes(tuple(found[letter] for letter in letters), fan_in)


def _variances(name: str, given: Sequence[float] | None, irreps: Irreps) -> list[float]:
    found = [1.0] * len(irreps) if given is None else [float(v) for v in given]
    if len(found) != len(irreps) or not all(0 <= v < math.inf for v in found):
        raise ValueError(f"{name} must be {len(irreps)} variances of 0 or more, for the items of {irreps}, got {given}")
    return found
