"""How a sum of paths is scaled: the choices that the operations share, read once, here."""

from typing import Literal, TypeAlias

IrrepNormalization: TypeAlias = Literal["component", "norm", "none"]
Normalization: TypeAlias = Literal["element", "path"] | float

_EXPONENTS = {"element": 0.0, "path": 1.0}


def normalization_exponent(value: Normalization | None, default: Normalization, name: str) -> float:
    """0 for "element", 1 for "path", or the number between them that was given.

    Args:
        value: what the user gave; None for the default.
        default: the default.
        name: of the argument, for the error message.

    Raises:
        ValueError: neither "element" nor "path" nor a number from 0 to 1.
    """
    value = default if value is None else value
    if isinstance(value, str) and value in _EXPONENTS:
        return _EXPONENTS[value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"{name} must be 'element', 'path' or a number from 0 to 1, got {value!r}")


def product_scale(normalization: IrrepNormalization, dim1: int, dim2: int, dim_out: int) -> float:
    """Factor of a Clebsch-Gordan product whose coefficients have Frobenius norm 1.

    "component": components of variance 1 give components of variance 1; "norm": irreps of norm 1 give, on
    average over rotations, irreps of norm 1; "none": the bare coefficients.

    Raises:
        ValueError: unknown normalization.
    """
    if normalization == "component":
        return dim_out**0.5
    if normalization == "norm":
        return (dim1 * dim2) ** 0.5
    if normalization == "none":
        return 1.0
    raise ValueError(f"irrep_normalization must be 'component', 'norm' or 'none', got {normalization!r}")
