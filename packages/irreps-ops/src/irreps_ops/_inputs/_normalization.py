"""Normalization of a sum of paths: the options that products, linear maps and layers share."""

from typing import Literal, TypeAlias, get_args

from irreps_core import shown

IrrepNormalization: TypeAlias = Literal["component", "norm", "none"]
Normalization: TypeAlias = Literal["element", "path"] | float

_EXPONENTS = {"element": 0.0, "path": 1.0}


def normalization_exponent(value: Normalization | None, default: Normalization, name: str) -> float:
    """Return 0 for "element", 1 for "path", and a number from 0 to 1 unchanged.

    Args:
        value: the argument; None for the default.
        default: the default.
        name: name of the argument, for the error message.

    Raises:
        ValueError: `value` is neither "element" nor "path" nor a number from 0 to 1.
    """
    value = default if value is None else value
    if isinstance(value, str) and value in _EXPONENTS:
        return _EXPONENTS[value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"{name} must be 'element', 'path' or a number from 0 to 1, got {shown(value)}")


def path_normalization_exponent(value: Normalization | None) -> float:
    """Return the exponent of the option `path_normalization`, "element" by default."""
    return normalization_exponent(value, "element", "path_normalization")


def gradient_normalization_exponent(value: Normalization | None) -> float:
    """Return the exponent of the option `gradient_normalization`, "path" by default."""
    return normalization_exponent(value, "path", "gradient_normalization")


def checked_irrep_normalization(value: IrrepNormalization) -> IrrepNormalization:
    """Return a valid option `irrep_normalization`.

    Raises:
        ValueError: `value` is neither "component" nor "norm" nor "none".
    """
    if value not in get_args(IrrepNormalization):
        raise ValueError(f"irrep_normalization must be 'component', 'norm' or 'none', got {shown(value)}")
    return value


def product_scale(normalization: IrrepNormalization, dim1: int, dim2: int, dim_out: int) -> float:
    """Return the factor of a Clebsch-Gordan product whose coefficients have Frobenius norm 1.

    "component": components of variance 1 give components of variance 1; "norm": irreps of norm 1 give, on
    average over rotations, irreps of norm 1; "none": the bare coefficients.

    Args:
        normalization: the option `irrep_normalization`.
        dim1: dimension of the irrep of the first input.
        dim2: dimension of the irrep of the second input.
        dim_out: dimension of the irrep of the output.

    Raises:
        ValueError: unknown normalization.
    """
    match checked_irrep_normalization(normalization):
        case "component":
            return dim_out**0.5
        case "norm":
            return (dim1 * dim2) ** 0.5
        case "none":
            return 1.0
