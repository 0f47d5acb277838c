"""Tensor products with weights, whose couplings and connection modes are chosen by instructions."""

import math
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, clebsch_gordan_sign, converted, frozen, shown
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._normalization import (
    IrrepNormalization,
    Normalization,
    checked_irrep_normalization,
    gradient_normalization_exponent,
    path_normalization_exponent,
    product_scale,
)
from irreps_ops._inputs._operands import component_mask, floating, split_last_axis
from irreps_ops.compute._dispatch import Choice
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Access

from ._couplings import MODES, Coupling, extents
from ._evaluate import evaluate_product
from ._lowering import product_lowering


class Instruction(NamedTuple):
    """A coupling as it is asked for; :class:`Coupling` adds its normalization and the shape of its weights.

    Attributes:
        i_in1: place of the item of the first input.
        i_in2: place of the item of the second input.
        i_out: place of the item of the output.
        connection_mode: how multiplicities are connected.
        has_weight: whether the coupling has weights.
        path_weight: factor of the variance of the path.
    """

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool
    path_weight: float = 1.0


def _instructions(given: Any) -> tuple[Instruction, ...]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise ValueError(f"instructions must be a list of tuples such as (0, 0, 0, 'uvw', True), got {shown(given)}")
    return tuple(map(_instruction, given))


def _instruction(given: Any) -> Instruction:
    try:
        *places, mode, has_weight = given[:5]
        i_in1, i_in2, i_out = map(operator.index, places)
        (factor,) = given[5:] or (1.0,)
        if not isinstance(has_weight, (bool, np.bool_)) or any(isinstance(i, (bool, np.bool_)) for i in places):
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(
            "an instruction is (i_in1, i_in2, i_out, mode, has_weight[, path_weight]), with integers, a text, and True "
            f"or False, got {shown(given)}"
        ) from None
    factor = check.factor("an instruction", "path_weight", factor)
    return Instruction(i_in1, i_in2, i_out, mode, bool(has_weight), factor)


def _variances(given: Iterable[float] | None) -> tuple[float, ...] | None:
    return None if given is None else tuple(check.factor("FunctionalTensorProduct", "variance", v) for v in given)


@frozen
class FunctionalTensorProduct:
    r"""Description of a tensor product with given couplings and weights; call it with weights and data.

    An instruction ``(i_in1, i_in2, i_out, mode, has_weight)`` multiplies an item x of the first input by an item y of
    the second one and adds the products, times weights W and the factor c of the path, to an item z of the output.
    The product of two irreps is

    .. math:: (x_u y_v)_k = \sum_{ij} C_{ijk} \, x_{ui} \, y_{vj}

    with the Clebsch-Gordan coefficients C. The mode says which channels meet:

    | mode | adds | shape of W |
    |---|---|---|
    | uvw | :math:`z_w` += :math:`c \sum_{uv} W_{uvw} \, x_u y_v` | (mul1, mul2, mul_out) |
    | uvu | :math:`z_u` += :math:`c \sum_v W_{uv} \, x_u y_v` | (mul1, mul2) |
    | uvv | :math:`z_v` += :math:`c \sum_u W_{uv} \, x_u y_v` | (mul1, mul2) |
    | uuw | :math:`z_w` += :math:`c \sum_u W_{uw} \, x_u y_u` | (mul1, mul_out) |
    | uuu | :math:`z_u` += :math:`c \, W_u \, x_u y_u` | (mul1,) |
    | uvuv | :math:`z_{uv}` += :math:`c \, W_{uv} \, x_u y_v` | (mul1, mul2) |
    | uvu<v | :math:`z_{uv}` += :math:`c \, W_{uv} \, x_u y_v` for :math:`u < v` | (pairs,) |
    | u<vw | :math:`z_w` += :math:`c \sum_{u<v} W_{uvw} \, x_u y_v` | (pairs, mul_out) |

    The compute core evaluates it; it makes all products of channels only where that is the cheapest.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output; items that no instruction leads to are zero.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]). The optional factor (default 1)
            multiplies the variance of the path.
        in1_var: variance of the components of each item of the first input (default: 1).
        in2_var: variance of the components of each item of the second input (default: 1).
        out_var: wanted variance of the components of each item of the output (default: 1).
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``, see :func:`tensor_product`.
        path_normalization: ``"element"``: every product of multiplicities contributes equally; ``"path"``: every
            instruction does; or a number between 0 and 1.
        gradient_normalization: ``"element"``: the normalization is in the initial weights; ``"path"``: in the
            forward pass; or a number between 0 and 1.
        convention: the convention for the signs of the Clebsch-Gordan coefficients, see
            :func:`irreps_core.clebsch_gordan_sign`.

    Attributes:
        couplings: a :class:`Coupling` for each instruction, in order.

    Raises:
        ValueError: an instruction names an item that does not exist, breaks the selection rules, connects
            multiplicities that do not fit its mode, or has a negative factor; as many variances as there are items are
            not given; unknown normalization or convention.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> instructions = [(0, 0, 0, "uvu", True), (0, 0, 1, "uvu", False)]
        >>> f = irr.FunctionalTensorProduct("2x1o", "1o", "2x0e + 2x1e", instructions)
        >>> f.num_weights
        2
        >>> x, y = irr.IrrepsArray("2x1o", jnp.arange(6.0)), irr.IrrepsArray("1o", jnp.array([0.0, 1.0, 0.0]))
        >>> f(jnp.ones(2), x, y).irreps
        2x0e+2x1e
        >>> print(f.polynomial().explain())
        2 paths...
    """

    irreps_in1: Irreps = converted(converter=Irreps)
    irreps_in2: Irreps = converted(converter=Irreps)
    irreps_out: Irreps = converted(converter=Irreps)
    instructions: tuple[Instruction, ...] = converted(converter=_instructions)
    in1_var: tuple[float, ...] | None = converted(converter=_variances, default=None)
    in2_var: tuple[float, ...] | None = converted(converter=_variances, default=None)
    out_var: tuple[float, ...] | None = converted(converter=_variances, default=None)
    irrep_normalization: IrrepNormalization = converted(converter=checked_irrep_normalization, default="component")
    path_normalization: float = converted(converter=path_normalization_exponent, default=None)
    gradient_normalization: float = converted(converter=gradient_normalization_exponent, default=None)
    convention: str = "e3nn"

    def validate(self) -> None:
        """Check that instructions and variances fit the irreps, and that the convention exists."""
        irreps = (self.irreps_in1, self.irreps_in2, self.irreps_out)
        for instruction in self.instructions:
            _check_instruction(instruction, irreps)
        for name, of in zip(("in1_var", "in2_var", "out_var"), irreps, strict=True):
            given = getattr(self, name)
            if given is not None and (len(given) != len(of) or not all(0 <= v < math.inf for v in given)):
                raise ValueError(
                    f"{name} must be {len(of)} variances of 0 or more, for the items of {of}, got {list(given)}"
                )
        clebsch_gordan_sign(self.convention, 0, 0, 0)

    @cached_property
    def couplings(self) -> tuple[Coupling, ...]:
        """The couplings of the instructions, in order, with their normalization and the shapes of their weights."""
        added = [self._variance(instruction) for instruction in self.instructions]
        found = []
        for ins, variance in zip(self.instructions, added, strict=True):
            total = variance**self.path_normalization * sum(
                v ** (1 - self.path_normalization)
                for v, other in zip(added, self.instructions, strict=True)
                if other.i_out == ins.i_out
            )
            out_var = 1.0 if self.out_var is None else self.out_var[ins.i_out]
            scale = math.sqrt(out_var * ins.path_weight / (total if total > 0 else 1.0))
            irs = self.irreps_in1[ins.i_in1].ir, self.irreps_in2[ins.i_in2].ir, self.irreps_out[ins.i_out].ir
            scale *= product_scale(self.irrep_normalization, *(ir.dim for ir in irs))
            forward = scale**self.gradient_normalization if ins.has_weight else scale
            forward *= clebsch_gordan_sign(self.convention, *(ir.l for ir in irs))
            std = scale ** (1 - self.gradient_normalization) if ins.has_weight else 1.0
            extents = self._extents(ins)
            shape = tuple(extents[letter] for letter in MODES[ins.connection_mode].weights)
            found.append(Coupling(*ins[:5], path_weight=forward, weight_std=std, path_shape=shape))
        return tuple(found)

    def _extents(self, ins: Instruction) -> dict[str, int]:
        """Return the number of channels that each letter of the connection mode runs over."""
        irreps = (self.irreps_in1, self.irreps_in2, self.irreps_out)
        return extents(*(of[i].mul for of, i in zip(irreps, ins[:3], strict=True)))

    def _variance(self, ins: Instruction) -> float:
        """Return the variance of the contribution of an instruction to its item, for weights of 1."""
        var1 = 1.0 if self.in1_var is None else self.in1_var[ins.i_in1]
        var2 = 1.0 if self.in2_var is None else self.in2_var[ins.i_in2]
        mode, extents = MODES[ins.connection_mode], self._extents(ins)
        summed = [letter for letter in dict.fromkeys(mode.in1 + mode.in2) if letter not in mode.out]
        return var1 * var2 * math.prod(extents[letter] for letter in summed)

    @property
    def weighted(self) -> tuple[Coupling, ...]:
        """The couplings that have weights."""
        return tuple(c for c in self.couplings if c.has_weight)

    @property
    def num_weights(self) -> int:
        """The number of weights."""
        return sum(math.prod(c.path_shape) for c in self.weighted)

    @cached_property
    def output_mask(self) -> np.ndarray:
        """For each component of the output whether any instruction leads to it, of shape (irreps_out.dim,)."""
        reached = {c.i_out for c in self.couplings if c.path_weight != 0 and 0 not in c.path_shape}
        return component_mask(self.irreps_out, reached)

    def parameter_name(self, coupling: Coupling) -> str:
        """Return the name of the weights of a coupling: ``w[0,1,0] 8x0e,1x1o,4x1o``."""
        i1, i2, i_out = coupling.i_in1, coupling.i_in2, coupling.i_out
        return f"w[{i1},{i2},{i_out}] {self.irreps_in1[i1]},{self.irreps_in2[i2]},{self.irreps_out[i_out]}"

    def split_weights(self, weights: jax.Array) -> list[jax.Array]:
        """Split one array of shape (..., num_weights) into the weights of each coupling that has some.

        Raises:
            ValueError: the last axis has another length.
        """
        self._check_packed(weights)
        parts = split_last_axis(weights, [math.prod(c.path_shape) for c in self.weighted])
        return [w.reshape((*w.shape[:-1], *c.path_shape)) for w, c in zip(parts, self.weighted, strict=True)]

    def polynomial(self, *, own_weights: bool = False) -> Polynomial:
        """Return the polynomial that is evaluated first; ``print(f.polynomial().explain())`` describes it.

        Sums over multiplicities ("uvw" where mul1 or mul2 is 1, "uuw", "u<vw") are a second step, a linear map of the
        outputs of this polynomial, which takes the weights of these instructions: one matrix product for each item of
        the output.

        Args:
            own_weights: whether each element of the batch has its own weights.
        """
        accesses = (Access.BATCHED, Access.BATCHED, Access.BATCHED if own_weights else Access.BROADCAST)
        irreps = (self.irreps_in1, self.irreps_in2)
        live = tuple(n for n, c in enumerate(self.couplings) if not c.is_empty(*irreps, self.irreps_out))
        return product_lowering(irreps, self.irreps_out, self.couplings, live, accesses, packed=True).polynomial

    def __call__(
        self, weights: jax.Array | Sequence[jax.Array], x: IrrepsArray, y: IrrepsArray, *, executor: Choice = None
    ) -> IrrepsArray:
        """Apply the product.

        Args:
            weights: for each coupling that has weights an array of shape (*path_shape) or, where elements of the batch
                have weights of their own, (..., *path_shape); or one array of shape (..., num_weights).
            x: data of shape (..., irreps_in1.dim).
            y: data of shape (..., irreps_in2.dim); leading axes broadcast.
            executor: the executor, see :func:`evaluate`.

        Returns:
            Data of shape (..., irreps_out.dim).

        Raises:
            ValueError: other irreps, or weights of a wrong shape.
        """
        packed = not isinstance(weights, (list, tuple))
        if packed:
            arrays = [jnp.asarray(weights)]
            self._check_packed(arrays[0])
        else:
            arrays = [jnp.asarray(w) for w in weights]
            self._check_shapes(arrays)
        x, y = floating(x, y)
        x, y = x.rechunk(self.irreps_in1), y.rechunk(self.irreps_in2)
        return evaluate_product(x, y, self.irreps_out, self.couplings, arrays, packed=packed, executor=executor)

    def _check_packed(self, weights: jax.Array) -> None:
        if weights.shape[-1:] != (self.num_weights,):
            raise ValueError(f"expected weights of shape (..., {self.num_weights}), got {tuple(weights.shape)}")

    def _check_shapes(self, weights: Sequence[jax.Array]) -> None:
        if len(weights) != len(self.weighted):
            raise ValueError(f"expected {len(self.weighted)} arrays of weights, got {len(weights)}")
        for w, c in zip(weights, self.weighted, strict=True):
            if w.shape[max(w.ndim - len(c.path_shape), 0) :] != c.path_shape:
                expected = ", ".join(map(str, c.path_shape))
                raise ValueError(f"weights {self.parameter_name(c)} must have shape (..., {expected}), got {w.shape}")

    def matrix(self, weights: jax.Array | Sequence[jax.Array], y: IrrepsArray) -> jax.Array:
        """Return the product with `y` as a matrix that acts on the first input.

        Args:
            weights: as for calling, without leading axes.
            y: data of shape (..., irreps_in2.dim).

        Returns:
            Matrices of shape (..., irreps_in1.dim, irreps_out.dim).
        """
        unit = IrrepsArray(self.irreps_in1, jnp.eye(self.irreps_in1.dim, dtype=y.dtype))
        return self(weights, unit, y.reshape((*y.shape[:-1], 1, y.shape[-1]))).array


class FunctionalFullyConnectedTensorProduct(FunctionalTensorProduct):
    """Description of a tensor product with weights of mode "uvw" for all items that the selection rules allow.

    Args:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        in1_var: see :class:`FunctionalTensorProduct`, as the rest.
        in2_var: variance of the components of each item of the second input.
        out_var: wanted variance of the components of each item of the output.
        irrep_normalization: normalization of the Clebsch-Gordan coefficients.
        path_normalization: normalization of the sum of paths.
        gradient_normalization: share of the normalization in the initial weights.
        convention: convention for the signs of the coefficients.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> f = irr.FunctionalFullyConnectedTensorProduct("8x0e + 8x1o", "0e + 1o", "4x0e + 4x1o")
        >>> [f.parameter_name(c) for c in f.couplings][:2]
        ['w[0,0,0] 8x0e,1x0e,4x0e', 'w[0,1,1] 8x0e,1x1o,4x1o']
        >>> f(jnp.ones(f.num_weights), irr.ones("8x0e + 8x1o"), irr.ones("0e + 1o")).irreps
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
    """Return the instructions with weights for all items that the selection rules allow."""
    return [
        (i1, i2, i_out, "uvw", True)
        for i1, (_, ir1) in enumerate(in1)
        for i2, (_, ir2) in enumerate(in2)
        for i_out, (_, ir) in enumerate(out)
        if ir in ir1 * ir2
    ]


def _check_instruction(instruction: Instruction, irreps: tuple[Irreps, Irreps, Irreps]) -> None:
    """Check that an instruction names items that exist, obeys the selection rules and fits the multiplicities."""
    text = shown(tuple(instruction[: 5 if instruction.path_weight == 1 else 6]))
    if not isinstance(instruction.connection_mode, str) or instruction.connection_mode not in MODES:
        raise ValueError(f"the connection mode of instruction {text} must be one of {', '.join(MODES)}")
    for place, of, name in zip(instruction[:3], irreps, ("irreps_in1", "irreps_in2", "irreps_out"), strict=True):
        if not 0 <= place < len(of):
            raise ValueError(f"instruction {text}: {name}={of} has no item {place}")
    (mul1, ir1), (mul2, ir2), (mul, ir) = (of[i] for of, i in zip(irreps, instruction[:3], strict=True))
    if ir not in ir1 * ir2:
        raise ValueError(f"instruction {text}: {ir} is not in {ir1} x {ir2}, which is {Irreps(ir1 * ir2)}")
    mode, found = MODES[instruction.connection_mode], extents(mul1, mul2, mul)
    if mode.in1 == mode.in2 and mul1 != mul2:
        raise ValueError(
            f"instruction {text}: {instruction.connection_mode} needs equal multiplicities, got {mul1}x{ir1} and "
            f"{mul2}x{ir2}"
        )
    expected = math.prod(found[letter] for letter in mode.out)
    if mul != expected:
        raise ValueError(
            f"instruction {text}: {instruction.connection_mode} makes {expected}x{ir}, but the output has {mul}x{ir}"
        )
