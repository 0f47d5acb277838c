"""`Irrep`, `MulIrrep` and `Irreps` that compare as those of e3nn-jax do.

The types of irreps_core compare strictly. In e3nn-jax an irrep also equals each :class:`MulIrrep` of it, and irreps
equal a plain tuple of their items. Programs need this where Flax has converted an attribute of a module, which was
irreps, to a plain tuple: ``ir in self.irreps``.

Calculations with these types return these types. Functions of data return the types of irreps_core, which count as
instances of the types here; ``Irreps(x.irreps)`` converts them.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

import jax

import irreps_core as ic
from irreps_core import IntoIrreps


class _IncludesCore(type):
    """Metaclass of types whose instances include those of the type of irreps_core that they are derived from."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


class Irrep(ic.Irrep, metaclass=_IncludesCore):
    """:class:`irreps_core.Irrep` that also equals each :class:`MulIrrep` of this irrep.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.Irrep("1o") == e3nn.MulIrrep(3, "1o"), e3nn.Irrep("1o") in tuple(e3nn.Irreps("2x0e + 3x1o"))
        (True, True)
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other.ir if isinstance(other, ic.MulIrrep) else other)

    __hash__ = ic.Irrep.__hash__

    def __mul__(self, other: Any) -> Iterator["Irrep"]:
        return (Irrep(ir) for ir in super().__mul__(other))

    def __rmul__(self, other: Any) -> Any:
        if isinstance(other, ic.Irrep):  # Python asks the right operand first if its class is the derived one
            return Irrep(other) * self
        return Irreps(super().__rmul__(other))

    def __add__(self, other: IntoIrreps) -> "Irreps":
        return Irreps(super().__add__(other))

    def __radd__(self, other: IntoIrreps) -> "Irreps":
        return Irreps(super().__radd__(other))

    def __reduce__(self) -> tuple[type["Irrep"], tuple[int, int]]:
        return Irrep, (self.l, self.p)


class MulIrrep(ic.MulIrrep, metaclass=_IncludesCore):
    """:class:`irreps_core.MulIrrep` that also equals its irrep, whatever the multiplicity."""

    __slots__ = ()

    def __init__(self, mul: Any, ir: Any = None) -> None:
        """See :class:`irreps_core.MulIrrep`."""
        super().__init__(mul, ir)
        object.__setattr__(self, "ir", Irrep(self.ir))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ic.MulIrrep):
            return (self.mul, self.ir) == (other.mul, other.ir)
        return self.ir == other if isinstance(other, ic.Irrep) else NotImplemented

    __hash__ = ic.MulIrrep.__hash__

    def __reduce__(self) -> tuple[type["MulIrrep"], tuple[int, ic.Irrep]]:
        return MulIrrep, (self.mul, self.ir)


class Irreps(ic.Irreps, metaclass=_IncludesCore):
    """:class:`irreps_core.Irreps` that also equal a plain tuple of their items; a degree alone denotes an even irrep.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.Irreps([0, "1o", 2])
        1x0e+1x1o+1x2e
    """

    __slots__ = ()

    def __new__(cls, irreps: Any = None) -> "Irreps":
        """See :class:`irreps_core.Irreps`."""
        if type(irreps) is cls:
            return irreps
        if isinstance(irreps, Iterable) and not isinstance(irreps, (str, ic.Irreps, ic.Irrep, ic.MulIrrep)):
            irreps = [ic.Irrep(x, 1) if isinstance(x, int) else x for x in irreps]
        return tuple.__new__(cls, [MulIrrep(mul, ir) for mul, ir in ic.Irreps(irreps)])

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, other) if isinstance(other, tuple) else super().__eq__(other)

    __hash__ = ic.Irreps.__hash__

    def __radd__(self, other: IntoIrreps) -> "Irreps":
        return self if other == 0 else Irreps([*Irreps(other), *self])  # 0, so that the builtin sum works

    @staticmethod
    def spherical_harmonics(lmax: int, p: int = -1) -> "Irreps":
        """See :meth:`irreps_core.Irreps.spherical_harmonics`."""
        return Irreps(ic.Irreps.spherical_harmonics(lmax, p))

    def sort(self) -> Any:
        """See :meth:`irreps_core.Irreps.sort`."""
        found = super().sort()
        return found._replace(irreps=Irreps(found.irreps))


def _returning_irreps(method: Callable[..., Any]) -> Callable[..., Any]:
    """Convert the irreps that a method returns to :class:`Irreps`, and leave other results alone."""

    @wraps(method)
    def converted(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return Irreps(result) if isinstance(result, ic.Irreps) else result

    return converted


for _name in (
    *("__getitem__", "__add__", "__mul__", "__rmul__", "__floordiv__"),
    *("repeat", "set_mul", "remove_zero_multiplicities", "unify", "simplify", "regroup", "filter"),
):
    setattr(Irreps, _name, _returning_irreps(getattr(ic.Irreps, _name)))

for _static in (Irrep, MulIrrep, Irreps):
    jax.tree_util.register_static(_static)
