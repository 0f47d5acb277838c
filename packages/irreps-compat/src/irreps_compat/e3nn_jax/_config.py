"""`config`: the defaults of e3nn-jax, which a program may set for all that it does afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from irreps_ops._inputs._normalization import normalization_exponent

_DEFAULTS = MappingProxyType(
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
    }
)


class Config:
    """Defaults of the functions of this package, and of no other: they pass them as arguments to ours.

    ``config(name)`` reads and ``config(name, value)`` sets, as in e3nn-jax, for the whole process. A default is read
    when a function is called or traced, and when a layer is made. How products and spherical harmonics are computed
    (``spherical_harmonics_algorithm``, ``custom_einsum_jvp``, ``fused``, ``sparse_tp``) can be set and changes nothing.

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
        """With e3nn-jax's defaults."""
        self._values: dict[str, Any] = dict(_DEFAULTS)

    def __call__(self, name: str, value: Any = None) -> Any:
        """The default called `name`; if a value is given, it is set.

        Raises:
            ValueError: unknown name, or a value that is none of those allowed.
        """
        if name not in self._values:
            raise ValueError(f"config: unknown name {name!r}, expected one of {', '.join(self._values)}")
        if value is None:
            return self._values[name]
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"config: {name} must be one of {', '.join(map(repr, _CHOICES[name]))}, got {value!r}")
        if name in ("path_normalization", "gradient_normalization"):
            normalization_exponent(value, 0.0, name)
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


config = Config()


def default(name: str, value: Any) -> Any:
    """The value given, or what `config` says where it is None."""
    return config(name) if value is None else value
