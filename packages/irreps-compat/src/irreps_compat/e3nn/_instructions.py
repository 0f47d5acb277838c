"""Instructions of those tensor products of e3nn that derive them from irreps."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from irreps_core import Irrep, Irreps, align, zeros

IrrepNormalization: TypeAlias = Literal["component", "norm", "none"]


class Instructions(NamedTuple):
    """Irreps and instructions of a tensor product, in the order in which e3nn stores the weights.

    Attributes:
        irreps_in1: irreps of the first input.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]).
    """

    irreps_in1: Irreps
    irreps_in2: Irreps
    irreps_out: Irreps
    instructions: list[tuple[Any, ...]]

    def described(self, name: str) -> str:
        """Return a description of the module for error messages."""
        return f"{name}({self.irreps_in1} x {self.irreps_in2} -> {self.irreps_out})"

    def degrees(self) -> list[tuple[int, int, int]]:
        """Return the degrees of the instructions, each triple once."""
        irreps = self.irreps_in1, self.irreps_in2, self.irreps_out
        triples = {
            tuple(of[i].ir.l for of, i in zip(irreps, ins[:3], strict=True))
            for ins in self.instructions
            if all(0 <= i < len(of) for of, i in zip(irreps, ins[:3], strict=True))
        }
        return sorted(triples)


def fully_connected(irreps1: Irreps, irreps2: Irreps, irreps_out: Irreps) -> Instructions:
    """Return all connections that the selection rules allow, with weights."""
    instructions = [
        (i1, i2, i_out, "uvw", True)
        for i1, (_, ir1) in enumerate(irreps1)
        for i2, (_, ir2) in enumerate(irreps2)
        for i_out, (_, ir) in enumerate(irreps_out)
        if ir in ir1 * ir2
    ]
    return Instructions(irreps1, irreps2, irreps_out, instructions)


def elementwise(irreps1: Irreps, irreps2: Irreps, keep: Sequence[Any] | None) -> Instructions:
    """Return the products of the n-th irreps of both inputs.

    Raises:
        ValueError: the inputs have different numbers of irreps.
    """
    irreps1, irreps2 = irreps1.simplify(), irreps2.simplify()
    if irreps1.num_irreps != irreps2.num_irreps:
        raise ValueError(
            f"ElementwiseTensorProduct needs as many irreps in both inputs, got {irreps1} ({irreps1.num_irreps}) and "
            f"{irreps2} ({irreps2.num_irreps})"
        )
    left, right = (x.irreps for x in align(zeros(irreps1, backend=np), zeros(irreps2, backend=np)))
    out, instructions = [], []
    for i, ((mul, ir1), (_, ir2)) in enumerate(zip(left, right, strict=True)):
        for ir in _kept(ir1, ir2, keep):
            instructions.append((i, i, len(out), "uuu", False))
            out.append((mul, ir))
    return Instructions(left, right, Irreps(out), instructions)


def full(irreps1: Irreps, irreps2: Irreps, keep: Sequence[Any] | None) -> Instructions:
    """Return the products of all pairs of irreps, sorted."""
    irreps1, irreps2 = irreps1.simplify(), irreps2.simplify()
    found = [
        ((mul1 * mul2, ir), (i1, i2), ("uvuv", False))
        for i1, (mul1, ir1) in enumerate(irreps1)
        for i2, (mul2, ir2) in enumerate(irreps2)
        for ir in _kept(ir1, ir2, keep)
    ]
    return _sorted(irreps1, irreps2, found)


def square(irreps: Irreps, keep: Sequence[Any] | None, normalization: IrrepNormalization) -> Instructions:
    """Return the products of all unordered pairs of irreps, sorted; for an irrep with itself the symmetric ones."""
    irreps = irreps.simplify()
    found = []
    for i1, (mul1, ir1) in enumerate(irreps):
        for i2, (mul2, ir2) in enumerate(irreps):
            for ir in _kept(ir1, ir2, keep):
                alpha = _scale(normalization, ir1, ir2, ir)
                if i1 < i2:
                    found.append(((mul1 * mul2, ir), (i1, i2), ("uvuv", False, alpha)))
                elif i1 == i2:
                    if mul1 > 1:
                        found.append(((mul1 * (mul1 - 1) // 2, ir), (i1, i1), ("uvu<v", False, alpha)))
                    if ir.l % 2 == 0:
                        own = _own_scale(normalization, ir1, ir)
                        found.append(((mul1, ir), (i1, i1), ("uuu", False, own)))
    return _sorted(irreps, irreps, found)


def square_fully_connected(irreps: Irreps, irreps_out: Irreps, normalization: IrrepNormalization) -> Instructions:
    """Return the square with weights: pairs u < v and, for each irrep with itself, the symmetric products."""
    irreps, irreps_out = irreps.simplify(), irreps_out.simplify()
    instructions = []
    for i1, (mul1, ir1) in enumerate(irreps):
        for i2, (_, ir2) in enumerate(irreps):
            for i_out, (_, ir) in enumerate(irreps_out):
                if ir not in ir1 * ir2:
                    continue
                alpha = _scale(normalization, ir1, ir2, ir)
                if i1 < i2:
                    instructions.append((i1, i2, i_out, "uvw", True, alpha))
                elif i1 == i2:
                    if mul1 > 1:
                        instructions.append((i1, i1, i_out, "u<vw", True, alpha))
                    if ir.l % 2 == 0:
                        instructions.append((i1, i1, i_out, "uuw", True, _own_scale(normalization, ir1, ir)))
    return Instructions(irreps, irreps, irreps_out, instructions)


def _scale(normalization: IrrepNormalization, ir1: Irrep, ir2: Irrep, ir: Irrep) -> float:
    """Return the squared factor of a product of two irreps."""
    return {"component": ir.dim, "norm": ir1.dim * ir2.dim, "none": 1}[normalization]


def _own_scale(normalization: IrrepNormalization, ir1: Irrep, ir: Irrep) -> float:
    """Return the squared factor of the product of an irrep with itself, whose components have fourth moments."""
    if normalization == "component":
        return ir.dim / (ir1.dim + 2) if ir.l == 0 else ir.dim / 2
    if normalization == "norm":
        return ir.dim * ir1.dim if ir.l == 0 else ir1.dim * (ir1.dim + 2) / 2
    return 1


def _kept(ir1: Irrep, ir2: Irrep, keep: Sequence[Any] | None) -> Iterator[Irrep]:
    kept = None if keep is None else [Irrep(ir) for ir in keep]
    return (ir for ir in ir1 * ir2 if kept is None or ir in kept)


def _sorted(irreps1: Irreps, irreps2: Irreps, found: Sequence[tuple[Any, Any, Any]]) -> Instructions:
    """Return instructions with sorted outputs, from triples (output item, input places, mode and options)."""
    out, places = sort([item for item, _, _ in found])
    instructions = [(*of, places[n], *rest) for n, (_, of, rest) in enumerate(found)]
    return Instructions(irreps1, irreps2, out, instructions)


def sort(items: Sequence[Any]) -> tuple[Irreps, list[int]]:
    """Sort irreps in the order of e3nn, 0o, 0e, 1o, 1e, 2o, ..., which differs from that of irreps_core.

    Returns:
        The sorted irreps, and the new place of each item.

    Example:
        >>> sort(["2e", "1o", "2o"])
        (1x1o+1x2o+1x2e, [2, 0, 1])
    """
    items = list(Irreps(items))
    order = sorted(range(len(items)), key=lambda i: (items[i].ir.l, items[i].ir.p))
    return Irreps([items[i] for i in order]), [order.index(i) for i in range(len(items))]
