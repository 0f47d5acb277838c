"""Conformance tests of layers and bindings."""

from collections.abc import Iterable
from typing import Any

from irreps_core import plugins
from irreps_ops.bindings._registry import BINDINGS, Binding, binding

from ._layer_cases import LayerCase, layer_cases, layers_with_cases
from ._layer_table import Cell, cells, table


def check_layer(layer: Any, *irreps_in: Any, bindings: Iterable[str | Binding] | None = None, only: str = "") -> str:
    """Check a layer, without a framework and in frameworks: does it hold what layers promise?

    Alone: it is a frozen dataclass; `example` leads to the same parameters as data; outputs are finite, equivariant
    and of the dtype of the data; it works in `jit`, `vmap`, with a batch of 0, and parameters are made under
    `eval_shape`; derivatives to second order, forwards and backwards, agree with finite differences; random keys
    make a difference. In a framework: see :func:`check_binding`.

    Args:
        layer: a layer, the name of a layer, or a :class:`LayerCase`, which says what data to try it on.
        irreps_in: for a layer, of its inputs, as its `example` takes them; the data are drawn.
        bindings: names of frameworks, or bindings. Default: those that are installed and ready.
        only: do only those checks in whose name this occurs.

    Returns:
        A table for people: a row for the layer (for each of its cases), a column for each framework.

    Raises:
        AssertionError: something does not hold; the message is the table and says what.
        ValueError: a layer without irreps, or a name of a plugin's layer that does not say what to try it on.

    Example:
        >>> import irreps_ops as irr
        >>> from irreps_ops.testing import check_layer
        >>> print(check_layer(irr.Linear("0e"), "2x0e", bindings=(), only="dtype"))
                alone
        Linear  1 hold
    """
    if isinstance(layer, str):
        cases = layer_cases(layer)
    elif isinstance(layer, LayerCase):
        cases = [layer]
    elif irreps_in:
        cases = [LayerCase(layer, irreps_in)]
    else:
        raise ValueError("check_layer expects a layer and the irreps of its inputs, or a LayerCase, or a name")
    return _all_hold(cells(cases, _bindings(bindings), True, only))


def check_binding(name: str | Binding, *, layers: Iterable[str] | None = None, only: str = "") -> str:
    """Check a binding with every layer: does it hold what bindings promise?

    For each layer: the module class has its name, documentation and arguments; parameters and state have its names,
    shapes, dtypes and first values, also under `eval_shape`; they come and go as trees, and those of other shapes are
    refused; random keys make a difference; and the module computes what the layer computes. If JAX traces the same
    program, as it should, that settles numbers, `jit`, derivatives of every order and `vmap`; otherwise they are
    computed and compared: bit for bit on a CPU, derivatives to 1e-12.

    Args:
        name: the name of a binding, or a binding.
        layers: names of layers. Default: all that are installed and say what to try them on.
        only: do only those checks in whose name this occurs.

    Returns:
        A table for people: a row for each layer and way of calling it.

    Raises:
        AssertionError: something does not hold; the message is the table and says what.

    Example:
        >>> from irreps_ops.testing import check_binding
        >>> print(check_binding("haiku", layers=["Linear"]))  # doctest: +SKIP
                          haiku
        Linear            10 hold
        Linear, mixed     10 hold
        Linear, indexed   10 hold
        Linear, channels  10 hold
    """
    cases = [case for each in (layers_with_cases() if layers is None else layers) for case in layer_cases(each)]
    return _all_hold(cells(cases, _bindings([name]), False, only))


def _bindings(wanted: Iterable[str | Binding] | None) -> dict[str, Any]:
    if wanted is None:
        wanted = [status.plugin.name for status in plugins.available(BINDINGS) if status.state == "ready"]
    return {each if isinstance(each, str) else type(each).__name__: binding(each) for each in wanted}


def _all_hold(found: Iterable[Cell]) -> str:
    found = list(found)
    told = table(found)
    if any(cell.wrong for cell in found):
        raise AssertionError(told)
    return told
