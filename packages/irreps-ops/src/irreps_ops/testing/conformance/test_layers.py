"""Conformance of each layer in each framework; see the documentation of the package."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from irreps_ops.bindings._registry import binding
from irreps_ops.testing._layer_cases import WrongCases, layer_cases
from irreps_ops.testing._layer_checks import Alone, Subject
from irreps_ops.testing._layer_table import ALONE, cell


@functools.lru_cache(maxsize=2)
def _alone(name: str, place: int) -> Subject:
    """Return the layer without a framework, with which the frameworks after it are compared."""
    return Subject(layer_cases(name)[place], Alone())


def test_layer(
    name: str, place: int, where: str, request: pytest.FixtureRequest, record_property: Callable[[str, Any], None]
) -> None:
    """The layer passes every check in this framework."""
    try:
        subject = _alone(name, place)
    except WrongCases as error:
        pytest.fail(str(error), pytrace=False)
    if where != ALONE:
        subject = Subject(subject.case, binding(where), subject)
    found = cell(subject, where)
    # A plain tuple: pytest-xdist sends no others from one process to another.
    record_property("conformance", (request.session.items.index(request.node), tuple(found)))
    if found.wrong:
        pytest.fail("\n".join(found.wrong), pytrace=False)
