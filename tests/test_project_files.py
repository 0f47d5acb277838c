"""The files for hosted CI, contributors and citation are valid, and agree with the scripts that they run."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
FORMS = sorted(ROOT.glob(".github/ISSUE_TEMPLATE/[0-9]*.yml"))
CHECKS = ("ruff check", "ruff format --check", "pyright")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def default_environments() -> set[str]:
    """The environments that tests/environments.sh runs if none is named."""
    found = re.search(r'"\$\{@:-([^}]*)\}"', (ROOT / "tests" / "environments.sh").read_text())
    assert found is not None
    return set(found[1].split())


def test_ci_runs_every_environment() -> None:
    jobs = read(ROOT / ".github/workflows/tests.yml")["jobs"]
    assert set(jobs["environments"]["strategy"]["matrix"]["environment"]) == default_environments()
    assert {"run": ".ci/run"} in jobs["locked"]["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_few_rights_and_pinned_actions(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    triggers = workflow[True]  # YAML 1.1 reads the key `on` so
    assert "workflow_dispatch" in triggers
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] > 0
        # Nobody's pull request runs on a machine of ours.
        assert "self-hosted" not in job["runs-on"] or list(triggers) == ["workflow_dispatch"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/none@v1"))
            script = step.get("run", "").split()
            paths = [word for word in script if word.startswith((".ci/", "tests/", "scripts/"))]
            assert all((ROOT / word).exists() for word in paths), paths


def test_pre_commit_runs_the_checks_of_ci() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["entry"].removeprefix("uv run --locked ") for hook in repository["hooks"]}
    assert hooks == {*CHECKS, "uv lock --check"}
    ci = (ROOT / ".ci/run").read_text().splitlines()
    assert {line.removeprefix("uv run --no-sync ").removesuffix(" &") for line in ci} >= set(CHECKS)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_has_unique_fields_with_labels(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    names = [field["id"] for field in fields]
    assert len(names) == len(set(names))
    assert all(field["attributes"]["label"] for field in fields)


def test_citation_names_the_licence_and_repository_of_the_packages() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    for path in [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("examples/irreps-*/pyproject.toml")]:
        project = tomllib.loads(path.read_text())["project"]
        assert project["license"] == citation["license"], path
        assert project["authors"] == citation["authors"], path
        assert set(project["urls"]) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}, path
        assert project["urls"]["Homepage"] == citation["repository-code"], path
        folder = path.parent.relative_to(ROOT).as_posix()
        assert project["urls"]["Source"].endswith(folder), path
        assert project["urls"]["Changelog"].endswith(f"{folder}/CHANGELOG.md"), path
        assert (path.parent / "CHANGELOG.md").exists(), path


# The function itself, a cache of compiled code below that package, and tables that programs of other libraries write.
WRITERS = {"_files.py", "_disk_cache.py", "make_golden.py", "make_e3nn_jax.py", "make_e3nn_torch.py"}
WRITERS |= {"logs.py"}  # a log, which grows while a job runs
WRITING = ("write_text", "write_bytes", "tofile", "np.save", "np.savez", "shutil.copy", "shutil.move", "pickle.dump")


def writes(text: str) -> list[str]:
    """The calls of a program that write a file by themselves."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            words = [a.value for a in [*node.args, *(k.value for k in node.keywords)] if isinstance(a, ast.Constant)]
            modes = [word for word in words if isinstance(word, str) and re.fullmatch("[rbt+]*[wxa][bt+]*", word)]
            if name.endswith(WRITING) or (name.endswith("open") and modes):
                found.append(name)
    return found


def test_files_are_written_by_one_function() -> None:
    """It replaces a file in one step; everything else leaves half of a file behind when a disk is full."""
    roots = ("packages/*/src", "examples/*/src", "scripts", "benchmarks", "docs")
    paths = [p for root in roots for folder in ROOT.glob(root) for p in folder.rglob("*.py")]
    paths = [p for p in (*paths, *ROOT.glob("tests/make_*.py")) if p.name not in WRITERS]
    assert len(paths) > 200
    found = {str(p.relative_to(ROOT)): writes(p.read_text()) for p in paths}
    assert {path: calls for path, calls in found.items() if calls} == {}
    assert writes("open(p, 'wb'); p.open(mode='a'); open(p); open(p, 'rb'); p.write_text(x); np.savez(p, x)") == [
        "open",
        "p.open",
        "p.write_text",
        "np.savez",
    ]
