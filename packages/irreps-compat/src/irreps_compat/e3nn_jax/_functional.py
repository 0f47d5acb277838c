"""Linear maps and tensor products as e3nn-jax describes them: objects with a list of instructions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from irreps_core import IntoIrreps, IrrepsArray, from_chunks

from ._config import default
from ._irreps import Irreps
from ._irreps_array import own
from ._irreps_data import ArrayLikeIrrepsData, IrrepsData

Weights = jax.Array | Sequence[jax.Array]

# For each connection mode: the axes of the weights, and the axes that are summed over.
# p stands for the pairs u < v.
_MODES = MappingProxyType(
    {
        "uvw": ("uvw", "uv"),
        "uvu": ("uv", "v"),
        "uvv": ("uv", "u"),
        "uuw": ("uw", "u"),
        "uuu": ("u", ""),
        "uvuv": ("uv", ""),
        "uvu<v": ("p", ""),
        "u<vw": ("pw", "p"),
    }
)


class LinearInstruction(NamedTuple):
    """A block of weights of a linear map, see :class:`irreps_ops.LinearWeights`.

    Attributes:
        i_in: index of the input item; -1 for a bias.
        i_out: index of the output item.
        path_shape: shape of the weights.
        path_weight: factor of the weights.
        weight_std: standard deviation of the initial weights.
    """

    i_in: int
    i_out: int
    path_shape: tuple[int, ...]
    path_weight: float
    weight_std: float


class FunctionalLinear:
    """:class:`irreps_ops.FunctionalLinear` with the defaults of `config` and the attributes that e3nn-jax gives it.

    Args:
        irreps_in: irreps of the input.
        irreps_out: irreps of the output.
        instructions: pairs (index of the input item, index of the output item); default: all pairs of equal irreps.
        biases: whether the scalars 0e of the output have a bias, for all or for each item.
        path_normalization: ``"element"``, ``"path"`` or a number between 0 and 1.
        gradient_normalization: ``"element"``, ``"path"`` or a number between 0 and 1.

    Attributes:
        instructions: list of :class:`LinearInstruction`; biases last.
        output_mask: whether an instruction reaches each component of the output.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> f = e3nn.FunctionalLinear("2x0e + 1o", "0e + 1o")
        >>> [i.path_shape for i in f.instructions]
        [(2, 1), (1, 1)]
        >>> f(jnp.ones(3), e3nn.IrrepsArray("2x0e + 1o", jnp.arange(5.0)))
        1x0e+1x1o [0.7071 2. 3. 4. ]
    """

    def __init__(
        self,
        irreps_in: IntoIrreps,
        irreps_out: IntoIrreps,
        instructions: Sequence[tuple[int, int]] | None = None,
        biases: bool | Sequence[bool] | None = None,
        path_normalization: Any = None,
        gradient_normalization: Any = None,
    ) -> None:
        """See the class."""
        path_normalization = default("path_normalization", path_normalization)
        gradient_normalization = default("gradient_normalization", gradient_normalization)
        self._linear = irr.FunctionalLinear(
            Irreps(irreps_in), Irreps(irreps_out), instructions, biases, path_normalization, gradient_normalization
        )
        self.irreps_in = Irreps(self._linear.irreps_in)
        self.irreps_out = Irreps(self._linear.irreps_out)
        self.output_mask: np.ndarray = self._linear.output_mask
        self.instructions = _linear_instructions(
            self._linear, _exponent(path_normalization), _exponent(gradient_normalization)
        )

    @property
    def num_weights(self) -> int:
        """The number of weights, biases included."""
        return self._linear.num_weights

    def split_weights(self, weights: jax.Array) -> list[jax.Array]:
        """Split one array of weights, see :meth:`irreps_ops.FunctionalLinear.split_weights`."""
        return self._linear.split_weights(weights)

    def __call__(self, ws: Weights, input: Any) -> Any:
        """Apply the map, see :class:`irreps_ops.FunctionalLinear`; a plain array gives IrrepsData."""
        return _as(self._linear(ws, _array(self.irreps_in, input)), input)

    def matrix(self, ws: Weights) -> jax.Array:
        """Return the map as a matrix, see :meth:`irreps_ops.FunctionalLinear.matrix`."""
        return self._linear.matrix(ws)

    def aggregate_paths(
        self, paths: Sequence[jax.Array | None], output_shape: Sequence[int], output_dtype: Any = None
    ) -> IrrepsArray:
        """Return the sum of the outputs of the instructions.

        Args:
            paths: the output of each instruction, an array of the size of output_shape times its item; or None.
            output_shape: leading shape of the output.
            output_dtype: dtype of the output if all paths are None.
        """
        chunks: list[jax.Array | None] = [None] * len(self.irreps_out)
        for path, value in zip(self.instructions, paths, strict=True):
            if value is not None:
                mul, ir = self.irreps_out[path.i_out]
                value = value.reshape((*output_shape, mul, ir.dim))
                before = chunks[path.i_out]
                chunks[path.i_out] = value if before is None else before + value
        return own(from_chunks(self.irreps_out, chunks, output_shape, output_dtype or jnp.zeros(()).dtype))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.irreps_in} -> {self.irreps_out}, "
            f"{len(self.instructions)} instructions, {self.num_weights} weights)"
        )


LinearInstruction.__name__ = "Instruction"  # its name in e3nn-jax, where repr shows it


@dataclass(frozen=True, repr=False)
class Instruction:
    """Two items of the inputs that contribute to an item of the output, see :class:`irreps_ops.Coupling`.

    Attributes:
        i_in1: index of the item of the first input.
        i_in2: index of the item of the second input.
        i_out: index of the item of the output.
        connection_mode: how multiplicities are connected.
        has_weight: whether there are weights.
        path_weight: factor of the Clebsch-Gordan coefficients.
        weight_std: standard deviation of the initial weights; None without weights.
        first_input_multiplicity: multiplicity of the item of the first input.
        second_input_multiplicity: multiplicity of the item of the second input.
        output_multiplicity: multiplicity of the item of the output.
        path_shape: shape of the weights.
        num_elements: number of products of multiplicities that are summed in each multiplicity of the output.

    Raises:
        ValueError: an unknown connection mode.
    """

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool
    path_weight: float
    weight_std: float | None
    first_input_multiplicity: int
    second_input_multiplicity: int
    output_multiplicity: int
    path_shape: tuple[int, ...] = field(init=False)
    num_elements: int = field(init=False)

    def __post_init__(self) -> None:
        """Compute the shape of the weights and the number of elements."""
        if self.connection_mode not in _MODES:
            raise ValueError(f"connection_mode must be one of {', '.join(_MODES)}, got {self.connection_mode!r}")
        u, v, w = self.first_input_multiplicity, self.second_input_multiplicity, self.output_multiplicity
        size = {"u": u, "v": v, "w": w, "p": u * (u - 1) // 2}
        axes, summed = _MODES[self.connection_mode]
        object.__setattr__(self, "path_shape", tuple(size[axis] for axis in axes))
        object.__setattr__(self, "num_elements", math.prod(size[axis] for axis in summed))

    def replace(self, **changes: Any) -> "Instruction":
        """Return a copy with other attributes."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        # The text of e3nn-jax to the letter: programs name parameters by it.
        places, muls = (
            ",".join(map(str, numbers))
            for numbers in (
                (self.i_in1, self.i_in2, self.i_out),
                (self.first_input_multiplicity, self.second_input_multiplicity, self.output_multiplicity),
            )
        )
        return (
            f"Instruction(i={places}, mode={self.connection_mode}, has_weight={self.has_weight}, "
            f"path_weight={self.path_weight}, weight_std={self.weight_std}, mul={muls}, "
            f"path_shape={self.path_shape}, num_elements={self.num_elements})"
        )


class FunctionalTensorProduct:
    """Tensor product with given connections and weights, see :class:`irreps_ops.FunctionalTensorProduct`.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]).
        in1_var: variance of the components of each item of the first input.
        in2_var: variance of the components of each item of the second input.
        out_var: desired variance of the components of each item of the output.
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        path_normalization: ``"element"``, ``"path"`` or a number between, 0 and 1.
        gradient_normalization: ``"element"``, ``"path"`` or a number between, 0 and 1.

    Attributes:
        instructions: list of :class:`Instruction`.
        output_mask: whether an instruction reaches each component of the output.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> tp = e3nn.FunctionalFullyConnectedTensorProduct("1o", "1o", "0e + 1e")
        >>> w = [jnp.ones(i.path_shape) for i in tp.instructions if i.has_weight]
        >>> x = y = e3nn.ones("1o", (10,))
        >>> jax.vmap(tp.left_right, (None, 0, 0), 0)(w, x, y).shape
        (10, 4)
    """

    def __init__(
        self,
        irreps_in1: IntoIrreps,
        irreps_in2: IntoIrreps,
        irreps_out: IntoIrreps,
        instructions: Sequence[Sequence[Any]],
        in1_var: Sequence[float] | None = None,
        in2_var: Sequence[float] | None = None,
        out_var: Sequence[float] | None = None,
        irrep_normalization: Any = None,
        path_normalization: Any = None,
        gradient_normalization: Any = None,
    ) -> None:
        """See the class."""
        self.irreps_in1, self.irreps_in2, self.irreps_out = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
        irreps = self.irreps_in1, self.irreps_in2, self.irreps_out
        irrep_normalization = default("irrep_normalization", irrep_normalization)
        path_normalization = default("path_normalization", path_normalization)
        gradient_normalization = default("gradient_normalization", gradient_normalization)
        variances = in1_var, in2_var, out_var
        self._product = irr.FunctionalTensorProduct(
            *irreps, instructions, *variances, irrep_normalization, path_normalization, gradient_normalization
        )
        self.output_mask: np.ndarray = self._product.output_mask
        given = [
            Instruction(
                *ins[:5],
                path_weight=ins[5] if len(ins) > 5 else 1.0,
                weight_std=None,
                first_input_multiplicity=self.irreps_in1[ins[0]].mul,
                second_input_multiplicity=self.irreps_in2[ins[1]].mul,
                output_multiplicity=self.irreps_out[ins[2]].mul,
            )
            for ins in instructions
        ]
        self.instructions = _normalized(
            given,
            irreps,
            variances,
            irrep_normalization,
            _exponent(path_normalization),
            _exponent(gradient_normalization),
        )

    def left_right(
        self,
        weights: Any,
        input1: Any,
        input2: Any = None,
        *,
        custom_einsum_jvp: bool | None = None,
        fused: bool | None = None,
        sparse: bool | None = None,
        specialized_code: bool | None = None,
        optimize_einsums: bool | None = None,
        custom_einsum_vjp: bool | None = None,
        fuse_all: bool | None = None,
    ) -> Any:
        """Return the product of two inputs, whose leading axes broadcast.

        Args:
            weights: for each instruction that has weights an array of shape (..., *path_shape), or one array of
                shape (..., number of weights). May be omitted without weights: ``left_right(input1, input2)``.
            input1: data of irreps_in1: IrrepsArray, IrrepsData, an array, or a list of the arrays of the items.
            input2: data of irreps_in2.
            custom_einsum_jvp: has no effect, like the following arguments, which chose an algorithm of e3nn-jax.
            fused: has no effect.
            sparse: has no effect.
            specialized_code: has no effect.
            optimize_einsums: has no effect.
            custom_einsum_vjp: has no effect.
            fuse_all: has no effect.

        Returns:
            IrrepsArray; or IrrepsData if an input is IrrepsData or both inputs are plain, which `jax.numpy` accepts as
            an array.
        """
        del custom_einsum_jvp, fused, sparse, specialized_code, optimize_einsums, custom_einsum_vjp, fuse_all
        if input2 is None:
            weights, input1, input2 = [], weights, input1
        product = self._product(weights, _array(self.irreps_in1, input1), _array(self.irreps_in2, input2))
        return _as(product, input1, input2)

    def right(
        self,
        weights: Any,
        input2: Any = None,
        *,
        custom_einsum_jvp: bool | None = None,
        optimize_einsums: bool | None = None,
        custom_einsum_vjp: bool | None = None,
    ) -> jax.Array:
        """Return the product with the second input as a matrix of shape (..., irreps_in1.dim, irreps_out.dim).

        Args:
            weights: as for :meth:`left_right`, without leading axes.
            input2: data of irreps_in2.
            custom_einsum_jvp: has no effect, like the following arguments.
            optimize_einsums: has no effect.
            custom_einsum_vjp: has no effect.
        """
        del custom_einsum_jvp, optimize_einsums, custom_einsum_vjp
        if input2 is None:
            weights, input2 = [], weights
        return self._product.matrix(weights, _array(self.irreps_in2, input2))

    def __repr__(self) -> str:
        paths = sum(math.prod(ins.path_shape) for ins in self.instructions)
        return (
            f"{type(self).__name__}({self.irreps_in1.simplify()} x {self.irreps_in2.simplify()} -> "
            f"{self.irreps_out.simplify()} | {paths} paths | {self._product.num_weights} weights)"
        )


# The factors below are those of irreps_ops, computed in e3nn-jax's order, so that their last digits agree:
# programs name parameters by the text of an instruction.


def _exponent(normalization: Any) -> float:
    return {"element": 0.0, "path": 1.0}[normalization] if isinstance(normalization, str) else normalization


def _linear_instructions(linear: irr.FunctionalLinear, path: float, gradient: float) -> list[LinearInstruction]:
    muls = [mul for mul, _ in linear.irreps_in]
    found = []
    for w in linear.weights:
        if w.i_in == -1:
            found.append(LinearInstruction(-1, w.i_out, w.path_shape, 1.0, 0.0))
            continue
        sources = [other.i_in for other in linear.weights if other.i_out == w.i_out and other.i_in != -1]
        x = muls[w.i_in] ** path * sum(muls[i] ** (1.0 - path) for i in sources)
        scale = math.sqrt(1 / x if x > 0 else 1.0)
        found.append(LinearInstruction(w.i_in, w.i_out, w.path_shape, scale**gradient, scale ** (1.0 - gradient)))
    return found


def _normalized(
    instructions: Sequence[Instruction],
    irreps: tuple[Irreps, Irreps, Irreps],
    variances: Sequence[Sequence[float] | None],
    normalization: str,
    path: float,
    gradient: float,
) -> list[Instruction]:
    """Return instructions whose `path_weight` and `weight_std` include the normalization."""
    in1_var, in2_var, out_var = (
        [1.0] * len(i) if given is None else given for i, given in zip(irreps, variances, strict=True)
    )
    sizes = [in1_var[ins.i_in1] * in2_var[ins.i_in2] * ins.num_elements for ins in instructions]
    found = []
    for ins, size in zip(instructions, sizes, strict=True):
        x = 0.0
        for other, other_size in zip(instructions, sizes, strict=True):
            if other.i_out == ins.i_out:
                x += other_size ** (1.0 - path)
        x = size**path * x
        dims = irreps[0][ins.i_in1].ir.dim * irreps[1][ins.i_in2].ir.dim
        alpha: float = {"component": irreps[2][ins.i_out].ir.dim, "norm": dims, "none": 1}[normalization]
        if x > 0.0:
            alpha /= x
        alpha *= out_var[ins.i_out]
        alpha *= ins.path_weight
        scale = math.sqrt(alpha)
        if ins.has_weight:
            found.append(ins.replace(path_weight=scale**gradient, weight_std=scale ** (1.0 - gradient)))
        else:
            found.append(ins.replace(path_weight=scale))
    return found


def FunctionalFullyConnectedTensorProduct(
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    irreps_out: IntoIrreps,
    in1_var: Sequence[float] | None = None,
    in2_var: Sequence[float] | None = None,
    out_var: Sequence[float] | None = None,
    irrep_normalization: Any = None,
    path_normalization: Any = None,
    gradient_normalization: Any = None,
) -> FunctionalTensorProduct:
    """Return the tensor product with all connections that the selection rules allow, with weights: mode "uvw".

    The arguments are those of :class:`FunctionalTensorProduct`, without instructions.
    """
    irreps = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
    instructions = irr.FunctionalFullyConnectedTensorProduct(*irreps).instructions
    return FunctionalTensorProduct(
        *irreps,
        [(ins.i_in1, ins.i_in2, ins.i_out, ins.connection_mode, ins.has_weight) for ins in instructions],
        in1_var,
        in2_var,
        out_var,
        irrep_normalization,
        path_normalization,
        gradient_normalization,
    )


def _array(irreps: IntoIrreps, x: Any) -> IrrepsArray:
    """Convert an IrrepsArray, IrrepsData, an array or a list of the arrays of the items to an IrrepsArray."""
    return IrrepsData.new(irreps, x).irreps_array


def _as(result: IrrepsArray, *inputs: Any) -> IrrepsArray | IrrepsData:
    """Convert the result to IrrepsData if an input is IrrepsData or, as in the releases that had it, all are plain."""
    if any(isinstance(x, IrrepsData) for x in inputs):
        return IrrepsData.of(result)
    return own(result) if any(isinstance(x, IrrepsArray) for x in inputs) else ArrayLikeIrrepsData.of(result)
