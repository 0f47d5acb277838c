"""The integers that a program is called with."""

from irreps_ops.compute import Contraction

from ._memory import size_name


def sizes_of(contraction: Contraction) -> dict[str, int]:
    """Return the sizes that the program of a contraction is called with."""
    rows = dict(contraction.sizes)
    names = contraction.polynomial.indices
    return {"batch": contraction.batch, **{size_name(n): rows[name] for n, name in enumerate(names)}}
