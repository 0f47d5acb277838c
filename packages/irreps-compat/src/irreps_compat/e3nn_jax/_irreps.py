"""`Irreps` that takes degrees without a parity."""

from collections.abc import Iterable
from typing import Any

import irreps_core as ic


class _DegreesAreEven(type):
    """Makes :class:`irreps_core.Irreps`, and says that they are of the class that made them."""

    def __call__(cls, irreps: Any = None) -> ic.Irreps:
        if isinstance(irreps, Iterable) and not isinstance(irreps, (str, ic.Irreps, ic.Irrep, ic.MulIrrep)):
            irreps = [ic.Irrep(x, 1) if isinstance(x, int) else x for x in irreps]
        return ic.Irreps(irreps)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, ic.Irreps)


class Irreps(ic.Irreps, metaclass=_DegreesAreEven):
    """:class:`irreps_core.Irreps`, in which a degree alone is that of an even irrep, as e3nn-jax has it.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.Irreps([0, "1o", 2])
        1x0e+1x1o+1x2e
    """

    __slots__ = ()
