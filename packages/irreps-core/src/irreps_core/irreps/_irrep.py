"""`Irrep` and `MulIrrep`: one irreducible representation of O(3), and several copies of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from irreps_core._inputs._shown import shown
from irreps_core.coupling._clebsch_gordan import generators

from ._matrices import HasMatrices
from ._parsing import EXPECTED, non_negative_integer, parity, parse_term

if TYPE_CHECKING:
    from ._irreps import IntoIrreps, Irreps

IntoIrrep: TypeAlias = Union[str, "Irrep", "MulIrrep", tuple[int, int]]


@dataclass(frozen=True, init=False, eq=False, repr=False, slots=True)
class Irrep(HasMatrices):
    """Irreducible representation of O(3): a degree `l` and a parity `p`.

    The representation has dimension :math:`2l + 1`. A rotation acts by the real Wigner D matrix of degree l, and the
    inversion of space by multiplication with p. An irrep contains no data.

    Irreps are ordered by degree, then by parity with :math:`(-1)^l` first: 0e, 0o, 1o, 1e, 2e, 2o, ...
    For convenience an irrep also equals every string that denotes it; it shares its hash with ``str(irrep)``.

    Args:
        l: the degree, a non-negative integer; or a string such as ``"1o"``, an irrep, or a pair (l, p).
        p: the parity, 1 (even) or -1 (odd).

    Attributes:
        l: the degree.
        p: the parity.

    Raises:
        ValueError: the degree is negative or not an integer, the parity is neither 1 nor -1, or the string is
            malformed.

    Example:
        >>> from irreps_core import Irrep
        >>> Irrep("1o"), Irrep(2, -1), Irrep("3y")
        (1o, 2o, 3o)
        >>> Irrep("2e").dim
        5
        >>> list(Irrep("1o") * Irrep("1o"))
        [0e, 1e, 2e]
        >>> Irrep("1o") + Irrep("2e")
        1x1o+1x2e
    """

    l: int
    p: int

    def __init__(self, l: IntoIrrep | int, p: int | None = None) -> None:
        """See the class."""
        if p is None:
            if isinstance(l, MulIrrep):
                l = l.ir
            if isinstance(l, Irrep):
                l, p = l.l, l.p
            elif isinstance(l, str):
                mul, degree, sign = parse_term(l, l)
                if mul != 1 or "x" in l:
                    raise ValueError(f"expected one irrep without multiplicity, got {shown(l)}: use Irreps({shown(l)})")
                l, p = degree, sign
            elif isinstance(l, tuple) and len(l) == 2:
                l, p = l
            else:
                raise ValueError(f"expected {EXPECTED}, or Irrep(l, p), got {shown(l)}")
        degree = non_negative_integer(l, "the degree of an irrep", (l, p))
        object.__setattr__(self, "l", degree)
        object.__setattr__(self, "p", parity(p, (l, p)))

    def __repr__(self) -> str:
        return f"{self.l}{'e' if self.p == 1 else 'o'}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = Irrep(other)
            except ValueError:
                return False
        if isinstance(other, Irrep):
            return (self.l, self.p) == (other.l, other.p)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))  # the hash of the string that it equals, so that a set of irreps contains "1o"

    def __lt__(self, other: "Irrep") -> bool:
        if not isinstance(other, Irrep):
            return NotImplemented
        return self._order() < other._order()

    def __le__(self, other: "Irrep") -> bool:
        if not isinstance(other, Irrep):
            return NotImplemented
        return self._order() <= other._order()

    def _order(self) -> tuple[int, int]:
        return self.l, -self.p * (-1) ** self.l

    def __iter__(self) -> Iterator[int]:
        """Unpack as ``l, p = irrep``."""
        yield self.l
        yield self.p

    def __reduce__(self) -> tuple[type["Irrep"], tuple[int, int]]:
        return Irrep, (self.l, self.p)

    def __mul__(self, other: IntoIrrep) -> Iterator["Irrep"]:
        """Yield the irreps of the tensor product: degrees |l1-l2|, ..., l1+l2, parity p1 p2 (selection rules)."""
        if isinstance(other, int):
            raise TypeError(f"to repeat an irrep write {other} * Irrep({str(self)!r})")
        other = Irrep(other)
        return (Irrep(l, self.p * other.p) for l in range(abs(self.l - other.l), self.l + other.l + 1))

    def __rmul__(self, other: int) -> "Irreps":
        """Return `other` copies: ``3 * Irrep("1o")`` is ``3x1o``."""
        return _irreps(MulIrrep(other, self))

    def __add__(self, other: "IntoIrreps") -> "Irreps":
        return _irreps(self) + _irreps(other)

    def __radd__(self, other: "IntoIrreps") -> "Irreps":
        return _irreps(other) + _irreps(self)

    @property
    def dim(self) -> int:
        """The dimension, :math:`2l + 1`."""
        return 2 * self.l + 1

    def is_scalar(self) -> bool:
        """Return whether it is 0e: unchanged by rotations and mirrors.

        Example:
            >>> from irreps_core import Irrep
            >>> Irrep("0e").is_scalar(), Irrep("0o").is_scalar()
            (True, False)
        """
        return self.l == 0 and self.p == 1

    @classmethod
    def iterator(cls, lmax: int | None = None) -> Iterator["Irrep"]:
        """Yield all irreps in their order, up to degree `lmax`; without end if it is None.

        Example:
            >>> from irreps_core import Irrep
            >>> list(Irrep.iterator(1))
            [0e, 0o, 1o, 1e]
        """
        l = 0
        while lmax is None or l <= lmax:
            yield cls(l, (-1) ** l)
            yield cls(l, -((-1) ** l))
            l += 1

    def generators(self) -> Any:
        r"""Return the generators of the rotations about x, y and z, float64 of shape ``(3, 2l+1, 2l+1)``.

        :math:`D(v) = \exp(\sum_a v_a X_a)` for log coordinates v. See :func:`irreps_core.generators`.
        """
        return generators(self.l)

    def _items(self) -> "Sequence[MulIrrep]":
        return (MulIrrep(1, self),)


@dataclass(frozen=True, init=False, repr=False, slots=True)
class MulIrrep:
    """An irrep and its multiplicity: ``16x1o`` is sixteen vectors.

    Args:
        mul: the multiplicity, a non-negative integer; or a pair (mul, irrep).
        ir: the irrep.

    Attributes:
        mul: the multiplicity.
        ir: the irrep.

    Raises:
        ValueError: the multiplicity is negative or not an integer, or the irrep is malformed.

    Example:
        >>> from irreps_core import MulIrrep
        >>> MulIrrep(16, "1o"), MulIrrep(16, "1o").dim
        (16x1o, 48)
    """

    mul: int
    ir: Irrep

    def __init__(self, mul: Any, ir: IntoIrrep | None = None) -> None:
        """See the class."""
        if ir is None:
            pair = mul
            try:
                mul, ir = pair
            except (TypeError, ValueError):
                ir = None
            if ir is None or isinstance(pair, str):  # a text such as "1o" has two items, too
                raise ValueError(f"expected a multiplicity and an irrep, such as MulIrrep(16, '1o'), got {shown(pair)}")
        object.__setattr__(self, "mul", non_negative_integer(mul, "a multiplicity", (mul, ir)))
        object.__setattr__(self, "ir", Irrep(ir))

    @property
    def dim(self) -> int:
        r"""The dimension, :math:`\text{mul} \, (2l + 1)`."""
        return self.mul * self.ir.dim

    def __repr__(self) -> str:
        return f"{self.mul}x{self.ir}"

    def __iter__(self) -> Iterator[Any]:
        """Unpack as ``mul, ir = mul_irrep``."""
        yield self.mul
        yield self.ir

    def __reduce__(self) -> tuple[type["MulIrrep"], tuple[int, Irrep]]:
        return MulIrrep, (self.mul, self.ir)

    def __lt__(self, other: "MulIrrep") -> bool:
        if not isinstance(other, MulIrrep):
            return NotImplemented
        return (self.ir._order(), self.mul) < (other.ir._order(), other.mul)


def _irreps(irreps: "IntoIrreps") -> "Irreps":
    from ._irreps import Irreps  # imports this file: sums of irreps are Irreps, which consist of irreps

    return Irreps(irreps)
