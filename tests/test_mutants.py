"""A mutant changes files in its own folders only; tests are chosen by their times; a run can be repeated in part."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest

MUTANTS: dict[str, Any] = runpy.run_path(str(Path(__file__).parent / "mutants.py"))


def attempt(change: Any, folder: Path) -> bool:
    """Whether a process that is confined to a folder can make a change."""

    def work() -> int:
        MUTANTS["confine"]([folder])
        try:
            change()
        except PermissionError:
            return 1
        return 0

    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    return code == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
def test_changes_are_confined(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "file").write_text("precious")
    (inside / "link").symlink_to(outside)
    allowed = [
        lambda: (inside / "new").write_text("x"),
        lambda: (inside / "new").replace(inside / "other"),
        lambda: (inside / "other").unlink(),
        lambda: (outside / "file").read_text(),
        lambda: Path("/dev/null").write_text("x"),
    ]
    refused = [
        lambda: (outside / "file").write_text("x"),
        lambda: os.open(outside / "file", os.O_RDWR),
        lambda: (inside / "link" / "file").write_text("x"),
        lambda: (inside / "file").replace(outside / "file"),
        lambda: (outside / "file").replace(inside / "file"),
        lambda: (outside / "file").unlink(),
        lambda: (outside / "folder").mkdir(),
        lambda: outside.chmod(0),
        lambda: (inside / ".." / "new").write_text("x"),
        lambda: (outside / "link").symlink_to(inside),
    ]
    assert [attempt(change, inside) for change in allowed] == [True] * len(allowed)
    assert [attempt(change, inside) for change in refused] == [False] * len(refused)
    assert [(folder / "file").read_text() for folder in (inside, outside)] == ["precious", "precious"]


def test_a_few_cases_of_each_test_come_first() -> None:
    seconds = {f"a[{n}]": 0.1 * n for n in range(6)} | {"b": 0.15, "c": 1e9}
    first, others = MUTANTS["chosen"](sorted(seconds), seconds)
    assert first == ["a[0]", "a[1]", "b", "a[2]"]
    assert others == ["a[3]", "a[4]", "a[5]"]


def test_a_run_can_be_repeated_for_the_mutants_that_it_printed() -> None:
    path = "packages/irreps-ops/src/irreps_ops/compute/_views.py"
    mutants = [
        MUTANTS["Mutant"](path, f"core/{name}", n, 31 + n) for n, name in enumerate(("AddNot", "NumberReplacer"))
    ]
    text = "\n".join(["1 warning", *map(MUTANTS["described"], mutants, ("survived", "not covered")), "compute: 2 of 9"])
    assert MUTANTS["printed"](text) == {(path, "core/AddNot", 0), (path, "core/NumberReplacer", 1)}
