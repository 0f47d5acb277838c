"""Reading irreps from text: degrees, parities and multiplicities, with messages that quote the text."""

import operator
import re

import numpy as np

from irreps_core._inputs._shown import shown

EXPECTED = "a degree and a parity such as '0e', '1o', '2e' (y: the parity (-1)^degree of the harmonics)"
_TERM = re.compile(r"\s*(?:([0-9]+)\s*x\s*)?([0-9]+)\s*([eoy])\s*")


def integer(value: object) -> int:
    """Return a Python or NumPy integer as an int; neither bool, float nor arrays count as integers.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(value, (bool, np.bool_)) or (hasattr(value, "shape") and not isinstance(value, np.integer)):
        raise TypeError(f"expected an integer, got {shown(value)}")
    return operator.index(value)  # type: ignore[arg-type]  # the TypeError is the check


def parity(value: object, whole: object) -> int:
    """Return a parity as an int.

    Args:
        value: the parity.
        whole: the expression that contains it, for the error message.

    Raises:
        ValueError: it is neither 1 nor -1; 1.0, True and arrays are neither.
    """
    try:
        if (found := integer(value)) in (1, -1):
            return found
    except TypeError:
        pass
    raise ValueError(
        f"the parity of an irrep must be 1 (even) or -1 (odd), an integer, got {shown(value)} in {shown(whole)}"
    )


def non_negative_integer(value: object, name: str, whole: object) -> int:
    """Return `value` as an int.

    Args:
        value: the value.
        name: name of the quantity, for the error message.
        whole: the expression that contains it, for the error message.

    Raises:
        ValueError: it is not an integer, or negative.
    """
    try:
        if (found := integer(value)) >= 0:
            return found
    except TypeError:
        pass
    raise ValueError(f"{name} must be a non-negative integer, got {shown(value)} in {shown(whole)}")


def parse_term(text: str, whole: str) -> tuple[int, int, int]:
    """Return the multiplicity, degree and parity that a term such as ``"16x1o"`` denotes.

    Args:
        text: the term.
        whole: the expression that contains it, for the error message.

    Raises:
        ValueError: the term is malformed.
    """
    match = _TERM.fullmatch(text)
    if match is None:
        where = "" if text == whole else f" in {shown(whole)}"
        raise ValueError(
            f"malformed irrep {shown(text)}{where}: expected {EXPECTED}, "
            "with an optional multiplicity such as '16x1o'; terms are joined by '+'"
        )
    try:
        mul, degree = int(match[1] or 1), int(match[2])
    except ValueError as error:  # more digits than Python reads
        raise ValueError(f"malformed irrep {shown(text)} in {shown(whole)}: {error}") from None
    parity = {"e": 1, "o": -1, "y": (-1) ** degree}[match[3]]
    return mul, degree, parity
