"""From a polynomial to a loop program.

The batch is processed in *blocks* of some tens of elements, whose data stay in the cache. Where an output is written
through an index, the elements are visited sorted by that index: a *run* of elements with the same row adds up in
registers. One visit of the batch is a *pass*; a polynomial has one for each index that outputs are written through.
Consecutive blocks form a *chunk*, the unit of work for threads. Chunks depend on the batch alone, and sums over several
chunks are added in their order, so results do not depend on the number of threads.

In a block, paths that belong together form a *group*. For each group:

1. scalars and coefficients are combined to numbers for each element, with elements as lanes;
2. matrix products h V of the block are computed;
3. the products over lanes are computed and added up;
4. their matrix products with V or h are added to derivatives.
"""

from dataclasses import dataclass

from irreps_llvm.program import Program
from irreps_ops.compute import Polynomial, Views

from ._folding import folded, folded_views
from ._memory import Memory, Registers, Workspace
from ._visit import visit_batch, visits


@dataclass(frozen=True)
class Generated:
    """A program and how to call it.

    Attributes:
        program: its arguments are the inputs and then the indices of the polynomial; its results are the outputs and
            then the work space.
        workspaces: the arrays that it works in.
        sorted: indices that the caller sorts by, on GPUs. For each the program has two more arguments, int32: the
            elements of the batch sorted by the index, in their order where it is the same, and last those for which it
            is out of range; and where each row starts in that, one for those out of range, and where it ends.
    """

    program: Program
    workspaces: tuple[Workspace, ...]
    sorted: tuple[str, ...] = ()


def generate(
    polynomial: Polynomial,
    dtype: str,
    registers: Registers,
    *,
    views: Views | None = None,
    scatter: bool = False,
) -> Generated:
    """Return the program of a polynomial.

    Args:
        polynomial: the polynomial.
        dtype: of the arithmetic.
        registers: of the machine.
        views: where the operands lie in the arrays (default: each is an array of its own).
        scatter: visit the batch once, even if outputs are written through several indices: sorted by one of them. Each
            chunk has its own sums for the others, so there are few chunks. Saves time, costs memory.

    Raises:
        ValueError: an element of the batch needs too much memory.
    """
    views = Views.of_whole_arrays(polynomial) if views is None else views
    memory = Memory(folded(polynomial), folded_views(polynomial, views), dtype, registers)
    for visit in visits(polynomial, memory.itemsize, registers, scatter):
        visit_batch(memory, visit)
    memory.clear_rest()
    phases = (memory.prepare, memory.visit, memory.add_up, memory.finish)
    memory.builder.program.phases = [phase for phase in phases if phase]
    return Generated(memory.builder.program, tuple(memory.workspaces), tuple(memory.sorted))
