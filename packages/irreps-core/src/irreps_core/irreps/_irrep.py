"""`Irrep` and `MulIrrep`: one irreducible representation of O(3), and several copies of it."""

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from irreps_core.coupling._clebsch_gordan import generators

if TYPE_CHECKING:
    from ._irreps import IntoIrreps, Irreps

IntoIrrep: TypeAlias = Union[str, "Irrep", "MulIrrep", tuple[int, int]]

_TERM = re.compile(r"\s*(?:([0-9]+)\s*x\s*)?([0-9]+)\s*([eoy])\s*")
_EXPECTED = "a degree and a parity such as '0e', '1o', '2e' (y: the parity (-1)^degree of the harmonics)"


def _non_negative_integer(value: object, what: str, shown: object) -> int:
    """`value` as an int, or a ValueError that says what it was to be."""
    try:
        if isinstance(value, bool):
            raise TypeError
        integer = operator.index(value)  # type: ignore[arg-type]  # the TypeError is the check
    except TypeError:
        raise ValueError(f"{what} must be a non-negative integer, got {value!r} in {shown!r}") from None
    if integer < 0:
        raise ValueError(f"{what} must be a non-negative integer, got {value!r} in {shown!r}")
    return integer


def parse_term(text: str, whole: str) -> tuple[int, int, int]:
    """Multiplicity, degree and parity written in one term such as ``"16x1o"``.

    Args:
        text: the term.
        whole: the expression that it stands in, for the error message.

    Raises:
        ValueError: the term is malformed; names the term and the whole expression.
    """
    match = _TERM.fullmatch(text)
    if match is None:
        where = "" if text == whole else f" in {whole!r}"
        raise ValueError(
            f"malformed irrep {text!r}{where}: expected {_EXPECTED}, "
            "with an optional multiplicity such as '16x1o'; terms are joined by '+'"
        )
    try:
        mul, degree = int(match[1] or 1), int(match[2])
    except ValueError as error:  # more digits than Python reads
        raise ValueError(f"malformed irrep {text!r} in {whole!r}: {error}") from None
    parity = {"e": 1, "o": -1, "y": (-1) ** degree}[match[3]]
    return mul, degree, parity


@dataclass(frozen=True, init=False, eq=False, repr=False, slots=True)
class Irrep:
    """Irreducible representation of O(3): a degree `l` and a parity `p`.

    The representation has dimension 2l+1; a rotation acts by the real Wigner D matrix of degree l, the
    inversion of space by multiplication with p. It holds no data.

    Irreps are ordered by degree, then parity (-1)^l first: 0e, 0o, 1o, 1e, 2e, 2o, ...
    For convenience an irrep also equals every string that denotes it; it shares its hash with ``str(irrep)``.

    Args:
        l: the degree, a non-negative integer; or a string such as ``"1o"``, an irrep, or a pair (l, p).
        p: the parity, 1 (even) or -1 (odd).

    Attributes:
        l: the degree.
        p: the parity.

    Raises:
        ValueError: the degree is negative or no integer, the parity is neither 1 nor -1, or the string is
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
                mul, degree, parity = parse_term(l, l)
                if mul != 1 or "x" in l:
                    raise ValueError(f"expected one irrep without multiplicity, got {l!r}: use Irreps({l!r})")
                l, p = degree, parity
            elif isinstance(l, tuple) and len(l) == 2:
                l, p = l
            else:
                raise ValueError(f"expected {_EXPECTED}, or Irrep(l, p), got {l!r}")
        degree = _non_negative_integer(l, "the degree of an irrep", (l, p))
        if isinstance(p, bool) or p not in (1, -1):
            raise ValueError(f"the parity of an irrep must be 1 (even) or -1 (odd), got {p!r} in {(l, p)!r}")
        object.__setattr__(self, "l", degree)
        object.__setattr__(self, "p", int(p))

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
        return hash(repr(self))  # of the string that it equals, so that a set of irreps contains "1o"

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
        """The irreps in the tensor product: degrees |l1-l2|, ..., l1+l2, parity p1 p2 (selection rules)."""
        if isinstance(other, int):
            raise TypeError(f"to repeat an irrep write {other} * Irrep({str(self)!r})")
        other = Irrep(other)
        return (Irrep(l, self.p * other.p) for l in range(abs(self.l - other.l), self.l + other.l + 1))

    def __rmul__(self, other: int) -> "Irreps":
        """`n` copies: ``3 * Irrep("1o")`` is ``3x1o``."""
        from ._irreps import Irreps

        return Irreps([MulIrrep(other, self)])

    def __add__(self, other: "IntoIrreps") -> "Irreps":
        from ._irreps import Irreps

        return Irreps(self) + Irreps(other)

    def __radd__(self, other: "IntoIrreps") -> "Irreps":
        from ._irreps import Irreps

        return Irreps(other) + Irreps(self)

    @property
    def dim(self) -> int:
        """The dimension, 2l+1."""
        return 2 * self.l + 1

    def is_scalar(self) -> bool:
        """Whether it is 0e: unchanged by rotations and mirrors.

        Example:
            >>> from irreps_core import Irrep
            >>> Irrep("0e").is_scalar(), Irrep("0o").is_scalar()
            (True, False)
        """
        return self.l == 0 and self.p == 1

    @classmethod
    def iterator(cls, lmax: int | None = None) -> Iterator["Irrep"]:
        """All irreps in their order, up to degree `lmax` (without end when None).

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
        """Generators of the rotations about x, y and z, float64 of shape (3, 2l+1, 2l+1).

        D(v) = exp(sum_a v_a X_a) for log coordinates v. See :func:`irreps_core.generators`.
        """
        return generators(self.l)

    def D_from_angles(self, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> Any:
        """Representation matrix of the y-x-y Euler angles, see :meth:`Irreps.D_from_angles`."""
        from ._irreps import Irreps

        return Irreps(self).D_from_angles(alpha, beta, gamma, k)

    def D_from_quaternion(self, q: Any, k: Any = 0) -> Any:
        """Representation matrix of a quaternion, see :meth:`Irreps.D_from_quaternion`."""
        from ._irreps import Irreps

        return Irreps(self).D_from_quaternion(q, k)

    def D_from_matrix(self, R: Any) -> Any:
        """Representation matrix of a rotation or a mirror, see :meth:`Irreps.D_from_matrix`."""
        from ._irreps import Irreps

        return Irreps(self).D_from_matrix(R)

    def D_from_axis_angle(self, axis: Any, angle: Any, k: Any = 0) -> Any:
        """Representation matrix of an axis and an angle, see :meth:`Irreps.D_from_axis_angle`."""
        from ._irreps import Irreps

        return Irreps(self).D_from_axis_angle(axis, angle, k)

    def D_from_log_coordinates(self, log_coordinates: Any, k: Any = 0) -> Any:
        """Representation matrix of log coordinates, see :meth:`Irreps.D_from_log_coordinates`."""
        from ._irreps import Irreps

        return Irreps(self).D_from_log_coordinates(log_coordinates, k)


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
        ValueError: the multiplicity is negative or no integer, or the irrep is malformed.

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
            try:
                mul, ir = mul
            except (TypeError, ValueError):
                raise ValueError(f"expected a multiplicity and an irrep, got {mul!r}") from None
        object.__setattr__(self, "mul", _non_negative_integer(mul, "a multiplicity", f"{mul}x{ir}"))
        object.__setattr__(self, "ir", Irrep(ir))  # type: ignore[arg-type]  # Irrep checks it

    @property
    def dim(self) -> int:
        """The dimension, mul (2l+1)."""
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
