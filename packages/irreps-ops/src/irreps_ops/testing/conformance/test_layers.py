"""A test for each layer in each framework; see the package's documentation."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

import irreps_ops
from irreps_ops.testing._layer_checks import Alone, Subject
from irreps_ops.testing._layer_table import ALONE, cell
from irreps_ops.testing._layers import layer_cases


@functools.lru_cache(maxsize=2)
def _alone(name: str, place: int) -> Subject:
    """The layer that frameworks are compared with, which come after it."""
    return Subject(layer_cases(name)[place], Alone())


def test_layer(
    name: str, place: int, where: str, request: pytest.FixtureRequest, record_property: Callable[[str, Any], None]
) -> None:
    """All that the table says of one layer in one framework."""
    subject = _alone(name, place)
    if where != ALONE:
        subject = Subject(subject.case, irreps_ops.binding(where), subject)
    found = cell(subject, where)
    # A plain tuple: pytest-xdist sends no others from one process to another.
    record_property("conformance", (request.session.items.index(request.node), tuple(found)))
    if found.wrong:
        pytest.fail("\n".join(found.wrong), pytrace=False)
