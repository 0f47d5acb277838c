"""``help(irreps_core)`` lists every public name with its summary."""

import inspect
import pydoc
import re

import pytest

import irreps_core

pytest.importorskip("jax")  # without it, vmap does not exist


@pytest.fixture(scope="module")
def page() -> str:
    return pydoc.render_doc(irreps_core, renderer=pydoc.plaintext)


def test_every_public_name_is_listed_with_its_summary(page: str) -> None:
    for name in irreps_core.__all__:
        value = getattr(irreps_core, name)
        if inspect.isclass(value):
            heading = rf"^    class {name}\("
        elif inspect.isroutine(value):
            heading = rf"^    {name}\("
        elif inspect.ismodule(value):
            heading = rf"^    {name}\b"
        else:
            heading = rf"^    {name} = "
        assert re.search(heading, page, re.MULTILINE), f"{name} is not listed"
        if inspect.isclass(value) or inspect.isroutine(value):
            summary = (inspect.getdoc(value) or "").splitlines()[0]
            assert summary in page, f"{name} is listed without its summary"


def test_public_names_say_where_they_live() -> None:
    for name in irreps_core.__all__:
        value = getattr(irreps_core, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__ == "irreps_core", name


def test_the_names_are_sorted_and_complete() -> None:
    assert irreps_core.__all__ == sorted(irreps_core.__all__)
    assert dir(irreps_core) == irreps_core.__all__
    with pytest.raises(AttributeError, match="no attribute 'Ireps'"):
        _ = irreps_core.Ireps
