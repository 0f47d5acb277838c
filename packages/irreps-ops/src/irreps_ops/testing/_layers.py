"""Conformance tests of layers and bindings."""

from collections.abc import Iterable
from typing import Any

from irreps_core import plugins
from irreps_ops.bindings._registry import BINDINGS, Binding, binding

from ._layer_cases import LayerCase, layer_cases, layers_with_cases
from ._layer_table import Cell, cells, table


def check_layer(layer: Any, *irreps_in: Any, bindings: Iterable[str | Binding] | None = None, only: str = "") -> str:
    """Check a layer on its own and in frameworks.

    On its own: it is a frozen dataclass; `example` leads to the same parameters as data; outputs are finite,
    equivariant and of the dtype of the data; the layer works under `jit` and `vmap` and with an empty batch, and its
    initialization works under `eval_shape`; first and second derivatives, forwards and backwards, agree with finite
    differences; different random keys lead to different outputs. In a framework: see :func:`check_binding`.

    Args:
        layer: a layer, the name of a layer, or a :class:`LayerCase`.
        irreps_in: for a layer, the irreps of its inputs, as its `example` takes them; the data is random.
        bindings: names of frameworks, or bindings (default: those that are installed and ready).
        only: run only the checks whose name contains this text.

    Returns:
        A table for people to read: a row for each case, a column for each framework.

    Raises:
        AssertionError: a check fails; the message is the table with the faults.
        ValueError: a layer without irreps, or the name of a layer without test cases or with wrong ones.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops.testing import check_layer
        >>> print(check_layer(irr.Linear("0e"), "2x0e", bindings=(), only="dtype"))
                alone
        Linear  1 passed
    """
    if isinstance(layer, str):
        cases = layer_cases(layer)
    elif isinstance(layer, LayerCase):
        cases = [layer]
    elif irreps_in:
        cases = [LayerCase(layer, irreps_in)]
    else:
        raise ValueError(
            f"check_layer expects a layer and the irreps of its inputs, a LayerCase or a name, got {layer!r}"
        )
    return _checked_table(cells(cases, _bindings(bindings), True, only))


def check_binding(name: str | Binding, *, layers: Iterable[str] | None = None, only: str = "") -> str:
    """Check a binding with every layer.

    For each layer: the module class has its name, documentation and arguments; parameters and state have its names,
    shapes, dtypes and initial values, also under `eval_shape`; they survive the conversion to and from trees, and trees
    of other shapes are refused; different random keys lead to different outputs; and the module computes what the layer
    computes. If JAX traces the same program, as it should, then numbers, `jit`, derivatives of every order and `vmap`
    agree. Otherwise the check computes and compares them: numbers bit for bit on a CPU, derivatives to 1e-12.

    Args:
        name: the name of a binding, or a binding.
        layers: names of layers (default: all that are installed and have test cases).
        only: run only the checks whose name contains this text.

    Returns:
        A table for people to read, with a row for each case.

    Raises:
        AssertionError: a check fails; the message is the table with the faults.

    Example:
        >>> from irreps_ops.testing import check_binding
        >>> print(check_binding("haiku", layers=["Linear"]))  # doctest: +SKIP
                          haiku
        Linear            10 passed
        Linear, mixed     10 passed
        Linear, indexed   10 passed
        Linear, channels  10 passed
    """
    cases = [case for each in (layers_with_cases() if layers is None else layers) for case in layer_cases(each)]
    return _checked_table(cells(cases, _bindings([name]), False, only))


def _bindings(wanted: Iterable[str | Binding] | None) -> dict[str, Any]:
    """Return bindings by name; by default all that are installed and ready."""
    if wanted is None:
        wanted = [status.plugin.name for status in plugins.available(BINDINGS) if status.state == "ready"]
    return {each if isinstance(each, str) else type(each).__name__: binding(each) for each in wanted}


def _checked_table(found: Iterable[Cell]) -> str:
    """Return the table of results, or raise it as an error if a check fails."""
    found = list(found)
    text = table(found)
    if any(cell.wrong for cell in found):
        raise AssertionError(text)
    return text
