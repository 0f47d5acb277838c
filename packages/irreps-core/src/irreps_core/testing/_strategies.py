"""Hypothesis strategies for irreps, their expressions, their data and rotations."""

from typing import TYPE_CHECKING, Any

import numpy as np

from irreps_core.irreps._irrep import Irrep
from irreps_core.irreps._irreps import Irreps

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from irreps_core.arrays._irreps_array import IrrepsArray


def _strategies() -> Any:
    try:
        from hypothesis import strategies  # optional
    except ImportError as error:
        raise ImportError(
            "the strategies of irreps_core.testing need hypothesis: pip install irreps-core[testing]"
        ) from error
    return strategies


def irrep_strategy(*, lmax: int = 4) -> "SearchStrategy[Irrep]":
    """Generate irreps of degree up to `lmax`.

    Raises:
        ImportError: hypothesis is not installed.

    Example:
        >>> from irreps_core.testing import irrep_strategy
        >>> irrep_strategy(lmax=2)
        builds(Irrep, integers(min_value=0, max_value=2), sampled_from([1, -1]))
    """
    st = _strategies()
    return st.builds(Irrep, st.integers(0, lmax), st.sampled_from([1, -1]))


def irreps_strategy(
    *, lmax: int = 4, mul_max: int = 4, mul_min: int = 0, length_max: int = 5, length_min: int = 0
) -> "SearchStrategy[Irreps]":
    """Generate irreps: unsorted, with repetitions and, by default, multiplicities of zero and the empty sum.

    Args:
        lmax: the highest degree.
        mul_max: the highest multiplicity.
        mul_min: the lowest multiplicity.
        length_max: the largest number of items.
        length_min: the smallest number of items.

    Example:
        >>> from hypothesis import given
        >>> from irreps_core import Irreps
        >>> from irreps_core.testing import irreps_strategy
        >>> @given(irreps_strategy())
        ... def test_print_and_parse(irreps):
        ...     assert Irreps(str(irreps)) == irreps
    """
    st = _strategies()
    item = st.tuples(st.integers(mul_min, mul_max), irrep_strategy(lmax=lmax))
    return st.lists(item, min_size=length_min, max_size=length_max).map(Irreps)


def irreps_expression_strategy(
    *, lmax: int = 12, mul_max: int = 300, length_max: int = 8
) -> "SearchStrategy[tuple[str, Irreps]]":
    """Generate expressions in every accepted spelling, and the irreps that they denote.

    There may be spaces between the parts of a term, "1x" may be left out, and "y" may stand for the parity
    :math:`(-1)^l`.

    Example:
        >>> from hypothesis import given
        >>> from irreps_core import Irreps
        >>> from irreps_core.testing import irreps_expression_strategy
        >>> @given(irreps_expression_strategy())
        ... def test_parse(pair):
        ...     text, irreps = pair
        ...     assert Irreps(text) == irreps
    """
    st = _strategies()
    space = st.sampled_from(["", " ", "  ", "\t"])

    @st.composite
    def expression(draw: Any) -> tuple[str, Irreps]:
        irreps = draw(irreps_strategy(lmax=lmax, mul_max=mul_max, length_max=length_max))
        terms = []
        for mul, ir in irreps:
            parity = "e" if ir.p == 1 else "o"
            if ir.p == (-1) ** ir.l and draw(st.booleans()):
                parity = "y"
            spaces = [draw(space) for _ in range(5)]
            factor = "" if mul == 1 and draw(st.booleans()) else f"{mul}{spaces[1]}x{spaces[2]}"
            terms.append(f"{spaces[0]}{factor}{ir.l}{spaces[3]}{parity}{spaces[4]}")
        return "+".join(terms), irreps

    return expression()


def malformed_irreps_strategy() -> "SearchStrategy[str]":
    """Generate strings that do not denote irreps: expressions with one malformed term, or other text.

    Example:
        >>> import pytest
        >>> from hypothesis import given
        >>> from irreps_core import Irreps
        >>> from irreps_core.testing import malformed_irreps_strategy
        >>> @given(malformed_irreps_strategy())
        ... def test_refused(text):
        ...     with pytest.raises(ValueError):
        ...         Irreps(text)
    """
    st = _strategies()
    number = st.integers(0, 99).map(str)
    parity = st.sampled_from("eoy")
    spoiled = st.one_of(
        st.builds("{}x".format, number),
        st.builds("{}".format, number),
        st.builds("-{}x{}{}".format, number, number, parity),
        st.builds("{}x-{}{}".format, number, number, parity),
        st.builds("{}.5x{}{}".format, number, number, parity),
        st.builds("{}x{}.5{}".format, number, number, parity),
        st.builds("{}x{}x{}{}".format, number, number, number, parity),
        st.builds("{}*{}{}".format, number, number, parity),
        st.builds("{}x{}".format, number, parity),
        st.builds("x{}{}".format, number, parity),
        st.builds("{}{}{}".format, number, parity, parity),
        st.builds("{} {}{}".format, number, number, parity),
        st.builds("{}x{}{}".format, number, number, st.sampled_from("abcdfEOY ,-_0")),
        st.just(""),
    )
    wellformed = irreps_expression_strategy(length_max=3).map(lambda pair: pair[0]).filter(bool)
    # An empty term alone is the empty sum: it is malformed only beside another term.
    in_context = st.builds(
        lambda term, rest, left: f"{term}+{rest}" if left else f"{rest}+{term}",
        spoiled,
        wellformed,
        st.booleans(),
    )
    text = st.text(max_size=12).filter(lambda s: s.strip() and not _may_be_irreps(s))
    return st.one_of(spoiled.filter(bool), in_context, text)


def _may_be_irreps(text: str) -> bool:
    """Return whether irreps could contain every character. Otherwise the text is surely malformed."""
    return all(c in "0123456789xeoy+" or c.isspace() for c in text) or text.strip() == "Irreps()"


def irreps_array_strategy(
    irreps: "SearchStrategy[Irreps] | Irreps | str | None" = None,
    *,
    leading_shape: tuple[int, ...] = (),
    dtype: Any = np.float64,
) -> "SearchStrategy[IrrepsArray]":
    """Generate IrrepsArrays of NumPy arrays, with normally distributed data.

    Args:
        irreps: irreps, or a strategy for irreps. Default: :func:`irreps_strategy`.
        leading_shape: shape without the irreps axis.
        dtype: dtype of the data.

    Example:
        >>> import numpy as np
        >>> from hypothesis import given
        >>> import irreps_core as ic
        >>> from irreps_core.testing import irreps_array_strategy
        >>> @given(irreps_array_strategy("0e + 1o", leading_shape=(2,)))
        ... def test_norm(x):
        ...     assert np.all(ic.norm(x).array >= 0)
    """
    st = _strategies()

    def build(chosen: Irreps, seed: int) -> "IrrepsArray":
        from irreps_core.arrays._irreps_array import IrrepsArray  # imports JAX, where it is installed

        data = np.random.default_rng(seed).standard_normal((*leading_shape, chosen.dim))
        return IrrepsArray(chosen, data.astype(dtype))

    if irreps is None:
        irreps = irreps_strategy()
    elif isinstance(irreps, (str, Irreps)):
        irreps = st.just(Irreps(irreps))
    return st.builds(build, irreps, st.integers(0, 2**32 - 1))


def rotation_strategy() -> "SearchStrategy[np.ndarray]":
    """Generate rotations as unit quaternions (w, x, y, z), float64: generic ones, and those where formulas fail.

    The latter are the identity, rotations by pi, the poles of the Euler angles, and rotations very close to these.

    Example:
        >>> import numpy as np
        >>> from hypothesis import given
        >>> from irreps_core.testing import rotation_strategy
        >>> @given(rotation_strategy())
        ... def test_unit(q):
        ...     assert abs(np.linalg.norm(q) - 1) < 1e-12
    """
    st = _strategies()

    def build(special: tuple[int, ...], distance: float, seed: int) -> np.ndarray:
        q = np.asarray(special) + distance * np.random.default_rng(seed).standard_normal(4)
        length = np.linalg.norm(q)
        return q / length if length > 0 else np.array([1.0, 0.0, 0.0, 0.0])

    special = st.tuples(*[st.integers(-1, 1)] * 4).filter(any)
    distance = st.sampled_from([0.0, 1e-300, 1e-12, 1e-9, 1e-6, 1e-3, 10.0])
    return st.builds(build, special, distance, st.integers(0, 2**32 - 1))
