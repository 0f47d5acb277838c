"""Frozen dataclasses whose fields are converted, then validated together."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


def converted(converter: Callable[[Any], Any], **options: Any) -> Any:
    """Declare a field of a :func:`frozen` class that is passed through `converter`.

    Args:
        converter: a function that is called with the value of the field, given or default, and returns the value to
            keep.
        options: options of :func:`dataclasses.field`.

    Example:
        >>> from irreps_core import Irreps, converted, frozen
        >>> @frozen
        ... class Layer:
        ...     irreps: Irreps = converted(Irreps, default="0e")
        >>> Layer()
        Layer(irreps=1x0e)
    """
    return dataclasses.field(metadata={"converter": converter}, **options)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, converted))
def frozen(cls: type[T] | None = None, /, **options: Any) -> Any:
    """Make a class a frozen dataclass that converts its fields and then calls its method ``validate``.

    An instance is a value: a copy, also a deep one, is the instance itself.

    Args:
        cls: the class. Its method ``validate(self)``, if it has one, raises an error if the fields do not fit together.
        options: options of :func:`dataclasses.dataclass`.

    Example:
        >>> from irreps_core import Irreps, converted, frozen
        >>> @frozen
        ... class Features:
        ...     irreps: Irreps = converted(Irreps)
        ...
        ...     def validate(self) -> None:
        ...         if self.irreps.lmax > 2:
        ...             raise ValueError(f"expected degrees up to 2, got {self.irreps}")
        >>> Features("8x0e + 4x1o")
        Features(irreps=8x0e+4x1o)
        >>> Features("3o")
        Traceback (most recent call last):
        ...
        ValueError: expected degrees up to 2, got 1x3o
    """
    if cls is None:
        return lambda cls: frozen(cls, **options)

    def __post_init__(self: Any) -> None:
        for field in dataclasses.fields(self):
            converter = field.metadata.get("converter")
            if converter is not None:
                object.__setattr__(self, field.name, converter(getattr(self, field.name)))
        validate = getattr(self, "validate", None)
        if validate is not None:
            validate()

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]  # the hook that dataclasses call after __init__
    for name, method in (("__copy__", _itself), ("__deepcopy__", _itself)):
        if name not in vars(cls):
            setattr(cls, name, method)
    return dataclasses.dataclass(frozen=True, **options)(cls)


def _itself(self: T, memo: object = None) -> T:
    return self
