"""`Irrep`, `MulIrrep` and `Irreps` that compare and hash as those of e3nn-jax do.

Comparisons decide the structure of programs (``if irreps_out != irreps_in`` adds a layer), so they are those of
e3nn-jax in every detail:

* an irrep equals, and hashes as, the pair (l, p); it also equals strings and each :class:`MulIrrep` of it;
* irreps equal, and hash as, a plain tuple of their items;
* irreps equal every string that denotes them and nevertheless differ from it: both ``==`` and ``!=`` are True.

The types of irreps_core compare strictly. Calculations with the types here, and functions of data, return the types
here; the library converts them to its own, so that the hashes never meet.
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
    """:class:`irreps_core.Irrep` that also equals the pair (l, p), and each :class:`MulIrrep` of this irrep.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.Irrep("1o") == e3nn.MulIrrep(3, "1o"), e3nn.Irrep("1o") in tuple(e3nn.Irreps("2x0e + 3x1o"))
        (True, True)
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, tuple)) and not isinstance(other, ic.Irreps):
            try:
                other = ic.Irrep(other)
            except ValueError:
                return False
        return super().__eq__(other.ir if isinstance(other, ic.MulIrrep) else other)

    def __hash__(self) -> int:
        return hash((self.l, self.p))

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

    def __hash__(self) -> int:
        return hash((self.mul, self.ir))

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

    def __ne__(self, other: object) -> bool:
        return tuple.__ne__(self, other)  # as in e3nn-jax, which redefines __eq__ alone

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __radd__(self, other: IntoIrreps) -> "Irreps":
        return self if other == 0 else Irreps([*Irreps(other), *self])  # 0, so that the builtin sum works

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Irreps(found) if isinstance(index, slice) else found

    @staticmethod
    def spherical_harmonics(lmax: int, p: int = -1) -> "Irreps":
        """See :meth:`irreps_core.Irreps.spherical_harmonics`."""
        return Irreps(ic.Irreps.spherical_harmonics(lmax, p))

    def sort(self) -> Any:
        """See :meth:`irreps_core.Irreps.sort`."""
        found = ic.Irreps(self).sort()
        return found._replace(irreps=Irreps(found.irreps))

    def filter_mask(self, keep: Any = None, *, drop: Any = None, lmax: Any = None, mask: Any = None) -> Any:
        """See :meth:`irreps_core.Irreps.filter_mask`."""
        keep, drop = _of_own_items(keep), _of_own_items(drop)
        return ic.Irreps(self).filter_mask(keep, drop=drop, lmax=lmax, mask=mask)

    def filter(self, keep: Any = None, *, drop: Any = None, lmax: Any = None, mask: Any = None) -> "Irreps":
        """See :meth:`irreps_core.Irreps.filter`."""
        kept = self.filter_mask(keep, drop=drop, lmax=lmax, mask=mask)
        return Irreps(item for item, yes in zip(self, kept, strict=True) if yes)


def _of_own_items(selection: Any) -> Any:
    """Let a function that selects items get them as :class:`MulIrrep`."""
    return (lambda item: selection(MulIrrep(item))) if callable(selection) else selection


def _on_core(name: str) -> Callable[..., Any]:
    """Return a method of irreps_core that gets its own type, and whose irreps are converted back."""
    method = getattr(ic.Irreps, name)

    @wraps(method)
    def converted(self: Irreps, *args: Any, **kwargs: Any) -> Any:
        result = method(ic.Irreps(self), *args, **kwargs)
        return Irreps(result) if isinstance(result, ic.Irreps) else result

    return converted


for _name in (
    *("__add__", "__mul__", "__rmul__", "__floordiv__", "is_scalar", "count", "index", "generators"),
    *("repeat", "set_mul", "remove_zero_multiplicities", "unify", "simplify", "regroup"),
):
    setattr(Irreps, _name, _on_core(_name))

for _static in (Irrep, MulIrrep, Irreps):
    jax.tree_util.register_static(_static)
