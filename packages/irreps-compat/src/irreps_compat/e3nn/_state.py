"""Arrays of a state dict by name, and the convention of its Clebsch-Gordan coefficients."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from irreps_core import clebsch_gordan, clebsch_gordan_sign

StateDict: TypeAlias = Mapping[str, Any]

_CONVENTIONS = ("e3nn", "e3nn-0.4")
_HOW = "{key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}"
# Buffers that hold the coefficients of e3nn's generated code.
_STORED = re.compile(r"_compiled_main\w*\._w3j_(\d+)_(\d+)_(\d+)$")


class Converted(NamedTuple):
    """A module of e3nn as a layer.

    Attributes:
        layer: the layer; ``irreps_ops.apply(layer, params, *inputs)``.
        params: its parameters by name.
    """

    layer: Any
    params: dict[str, Any]


def key_of(prefix: str, name: str) -> str:
    """Return the key of an array of a module; the prefix may end with a dot, or be empty."""
    prefix = prefix.removesuffix(".")
    return f"{prefix}.{name}" if prefix else name


def read(state: StateDict, prefix: str, name: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return an array of a module and check its shape.

    Args:
        state: the state dict.
        prefix: name of the module.
        name: name of the array within the module.
        shape: expected shape.
        what: the module and its arguments, for error messages.

    Raises:
        ValueError: the array is missing or has another shape; the message states the expected and the actual shape.
        TypeError: the value is not an array of real numbers.
    """
    key = key_of(prefix, name)
    if key not in state:
        raise ValueError(f"{what} needs {key!r}; {_present(state, prefix)}")
    array = as_numpy(key, state[key])
    if array.size == 0:
        raise ValueError(
            f"{what} needs {key!r} of shape {shape}, but it is empty: the module gets its weights from outside "
            "(internal_weights=False), so there is nothing to be loaded"
        )
    if array.shape != shape:
        raise ValueError(
            f"{what} needs {key!r} of shape {shape}, got {array.shape}: the module was made with other arguments"
        )
    return array


def refuse(state: StateDict, prefix: str, name: str, what: str) -> None:
    """Refuse a non-empty array that the module, by its arguments, should not have.

    Raises:
        ValueError: the state dict has such an array.
    """
    key = key_of(prefix, name)
    if key in state and as_numpy(key, state[key]).size:
        raise ValueError(f"{what} has no {key!r}, but the state dict does: the module was made with other arguments")


def refuse_all(state: StateDict, prefix: str, what: str) -> None:
    """Refuse all weights of a module that, by its arguments, should not have any.

    Raises:
        ValueError: the state dict has weights of the module; the message names them.
    """
    found = sorted(
        key for key, value in state.items() if key.startswith(key_of(prefix, "")) and carries_weights(key, value)
    )
    if found and prefix:
        raise ValueError(f"{what} has no weights, but under {prefix!r} there are {found}: it is another module")


def as_numpy(key: str, value: Any) -> np.ndarray:
    """Convert a value to a NumPy array.

    Raises:
        TypeError: the value is not an array of real numbers, or cannot be converted.
    """
    if not hasattr(value, "__array__"):
        raise TypeError(f"{key!r} must be a NumPy array, got {type(value).__name__}")
    try:
        array = np.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{key!r}, a {type(value).__name__}, is not a NumPy array ({error}): pass {_HOW}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{key!r} must be an array of real numbers, got {array.dtype}: pass {_HOW}")
    return array


def _present(state: StateDict, prefix: str) -> str:
    """Describe the keys that the state dict has instead of a missing one."""
    start = key_of(prefix, "")
    own = sorted(key for key in state if key.startswith(start))
    if own:
        return f"under {prefix!r} there are {own}: the module was made with other arguments, or is of another class"
    modules = sorted({key.rpartition(".")[0] for key in state if "._compiled_main" not in key})
    return f"no key begins with {start!r}; there are the modules {modules}"


def find_convention(
    state: StateDict, prefix: str, degrees: Iterable[tuple[int, int, int]], given: str | None, what: str
) -> str:
    """Return the sign convention of the Clebsch-Gordan coefficients of a module.

    Args:
        state: the state dict, in which e3nn stores the coefficients that its code needs.
        prefix: name of the module.
        degrees: (l1, l2, l3) of the paths of the module.
        given: the convention that the user names, or None.
        what: the module and its arguments, for error messages.

    Raises:
        ValueError: an unknown convention, or not that of the state dict; or none is given and the state dict does not
            determine it.
    """
    if given is not None and given not in _CONVENTIONS:
        raise ValueError(f"convention must be None or one of {', '.join(_CONVENTIONS)}, got {given!r}")
    signs = stored_signs(state, prefix)
    possible = conventions(signs)
    if not possible or given not in (None, *possible):
        expected = given or " or ".join(_CONVENTIONS)
        raise ValueError(
            f"{what}: the Clebsch-Gordan coefficients that the state dict has under {prefix!r} are not those of "
            f"{expected}: their signs are {signs}"
        )
    if given is not None:
        return given
    differ = [ls for ls in degrees if len({clebsch_gordan_sign(c, *ls) for c in possible}) > 1]
    if differ:
        raise ValueError(
            f"{what}: e3nn 0.5 changed signs of Clebsch-Gordan coefficients, also of the degrees {differ}; the state "
            f"dict lacks {key_of(prefix, '_compiled_main_left_right._w3j_...')!r}, which would tell the version: pass "
            'convention="e3nn" (0.5 and later) or "e3nn-0.4"'
        )
    return possible[0]


def conventions(signs: Mapping[tuple[int, ...], int]) -> list[str]:
    """Return the conventions in which the coefficients of these degrees have these signs."""
    return [c for c in _CONVENTIONS if all(clebsch_gordan_sign(c, *ls) == sign for ls, sign in signs.items())]


def stored_signs(state: StateDict, prefix: str, anywhere: bool = False) -> dict[tuple[int, ...], int]:
    """Return the sign of the coefficients in the state dict, relative to those of irreps_core.

    Args:
        state: the state dict.
        prefix: name of the module.
        anywhere: whether to look into the modules of the module, too.

    Raises:
        ValueError: coefficients that are not Clebsch-Gordan coefficients, or two modules with different signs.
    """
    start, signs = key_of(prefix, ""), {}
    for key in state:
        own = key.removeprefix(start)
        found = (re.search if anywhere else re.fullmatch)(_STORED, own) if key.startswith(start) else None
        if found is None:
            continue
        degrees = tuple(map(int, found.groups()))
        ours, theirs = clebsch_gordan(*degrees), as_numpy(key, state[key])
        sign = 1 if theirs.shape == ours.shape and np.vdot(ours, theirs) > 0 else -1
        if theirs.shape != ours.shape or not np.allclose(sign * ours, theirs, atol=1e-3):
            raise ValueError(f"{key!r} are not Clebsch-Gordan coefficients of e3nn 0.4 or later")
        if signs.setdefault(degrees, sign) != sign:
            raise ValueError(f"{key!r} has another sign than the same coefficients of another module")
    return signs


def carries_weights(key: str, value: Any) -> bool:
    """Return whether an entry holds information beyond the arguments of its module."""
    _, _, name = key.rpartition(".")
    return "_compiled_main" not in key and name != "output_mask" and as_numpy(key, value).size > 0
