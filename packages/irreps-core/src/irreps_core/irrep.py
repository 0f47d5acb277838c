"""Names for irreps: ``from irreps_core.irrep import l0e, l1o``.

Example:
    >>> from irreps_core.irrep import l1o, l2e
    >>> l1o + 3 * l2e
    1x1o+3x2e
"""

from irreps_core.irreps._irrep import Irrep


def __getattr__(name: str) -> Irrep:
    if name.startswith("l") and name[1:2].isdigit():
        try:
            return Irrep(name[1:])
        except ValueError:
            pass
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: names are l0e, l0o, l1o, l1e, ...")
