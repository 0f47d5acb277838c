"""`config`: the defaults of e3nn-jax, which a program may change for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

DEFAULTS = MappingProxyType(
    {
        "irrep_normalization": "component",
        "path_normalization": "element",
        "gradient_normalization": "path",
        "spherical_harmonics_algorithm": "automatic",
        "spherical_harmonics_normalization": "component",
        "custom_einsum_jvp": False,
        "fused": False,
        "sparse_tp": False,
    }
)
_CHOICES = MappingProxyType(
    {
        "irrep_normalization": ("component", "norm", "none"),
        "spherical_harmonics_normalization": ("component", "norm", "integral"),
        "path_normalization": ("element", "path"),
        "gradient_normalization": ("element", "path"),
    }
)
_NUMBERS = ("path_normalization", "gradient_normalization")  # may also be numbers from 0 to 1


class Config:
    """Defaults of the functions and layers of this package, which pass them to irreps_ops as arguments.

    ``config(name)`` reads and ``config(name, value)`` sets a default, as in e3nn-jax, for the whole process. A function
    reads it when it is called or traced, a layer when it is made. The choices of an algorithm
    (``spherical_harmonics_algorithm``, ``custom_einsum_jvp``, ``fused``, ``sparse_tp``) can be set and have no effect.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.config("path_normalization")
        'element'
        >>> with e3nn.config.using(path_normalization="path"):
        ...     print(e3nn.FunctionalLinear("2x0e + 3x0e", "0e").instructions[0].path_weight ** -2)
        4.0
        >>> e3nn.config("path_normalisation")
        Traceback (most recent call last):
        ...
        ValueError: config: unknown name 'path_normalisation', expected one of irrep_normalization, ...
    """

    def __init__(self) -> None:
        """Start with the defaults of e3nn-jax."""
        self._values: dict[str, Any] = dict(DEFAULTS)

    def __call__(self, name: str, value: Any = None) -> Any:
        """Return the default called `name`; if a value is given, set it and return None.

        Raises:
            ValueError: an unknown name, or a value that is not allowed.
        """
        if name not in self._values:
            raise ValueError(f"config: unknown name {name!r}, expected one of {', '.join(self._values)}")
        if value is None:
            return self._values[name]
        if name in _CHOICES and value not in _CHOICES[name] and not (name in _NUMBERS and _from_0_to_1(value)):
            choices = ", ".join(map(repr, _CHOICES[name])) + (" or a number from 0 to 1" if name in _NUMBERS else "")
            raise ValueError(f"config: {name} must be one of {choices}, got {value!r}")
        self._values[name] = value
        return None

    @contextmanager
    def using(self, **values: Any) -> Iterator[None]:
        """Set defaults within a ``with`` statement."""
        before = dict(self._values)
        try:
            for name, value in values.items():
                self(name, value)
            yield
        finally:
            self._values.update(before)


def _from_0_to_1(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


config = Config()
"""The defaults of e3nn-jax; functions of this module read them in every call."""


def default(name: str, value: Any) -> Any:
    """Return `value`, or the default of `config` if it is None."""
    return config(name) if value is None else value
