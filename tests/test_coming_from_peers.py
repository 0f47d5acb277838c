"""The pages for users of e3x and cuEquivariance hold beside these libraries.

Blocks marked ``py`` need them; `tests/test_documents.py` runs the other blocks everywhere.
"""

import doctest
import importlib
import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent
PEERS = {"e3x": "e3x", "cuequivariance": "cuequivariance_jax"}


def page(peer: str) -> str:
    return (ROOT / "docs" / f"coming-from-{peer}.md").read_text()


def blocks(text: str) -> str:
    """All Python blocks in their lines, everything else blank."""
    lines, inside = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        lines.append("" if fence or not inside else line)
        inside = line.startswith("```py") if fence else inside
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("peer", ["e3x", "cuequivariance"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_page_runs_beside_e3x_and_cuequivariance(peer: str) -> None:
    if peer == "e3x":
        pytest.importorskip("e3x")
    else:
        pytest.importorskip("cuequivariance_jax")
    with jax.numpy_rank_promotion("allow"):  # the peers promote ranks
        test = doctest.DocTestParser().get_doctest(blocks(page(peer)), {}, peer, f"coming-from-{peer}.md", 0)
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
    assert runner.tries > 20


@pytest.mark.parametrize("peer", ["e3x", "cuequivariance"])
def test_names_of_e3x_and_cuequivariance_exist(peer: str) -> None:
    """Each name in the first column of the table of names can be imported."""
    if peer == "e3x":
        pytest.importorskip("e3x")
    else:
        pytest.importorskip("cuequivariance_jax")
    table = page(peer).partition("## Names")[2].partition("\n## ")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    names = re.findall(r"`((?:e3x|cue|cuex)(?:\.\w+)+)", " ".join(cells))
    assert len(names) > 15
    short = {"cue": "cuequivariance", "cuex": "cuequivariance_jax"}
    missing = []
    for name in names:
        first, *rest = name.split(".")
        found = importlib.import_module(short.get(first, first))
        for part in rest:
            found = getattr(found, part, None)
        missing += [name] if found is None else []
    assert missing == []


@pytest.mark.parametrize("peer", ["e3x", "cuequivariance", "e3j"])
def test_our_names_exist(peer: str) -> None:
    """So does each of ours in the second column."""
    import irreps_core
    import irreps_flax.linen
    import irreps_flax.nnx
    import irreps_ops

    table = page(peer).partition("## Names")[2].partition("\n## ")[0]
    cells = " ".join(row.split("|")[2] for row in table.splitlines() if row.startswith("| "))
    known = {"mul_ir", "num_indexed_weights", "IRREPS_EXECUTORS"}
    homes = (irreps_ops, irreps_core, irreps_ops.IrrepsArray, irreps_ops.compute, irreps_flax.nnx, irreps_flax.linen)
    names = re.findall(r"`(?:irr\.|irreps_\w+\.)*([A-Za-z]\w+)(?=[`(.,])", cells)
    assert names
    missing = [name for name in names if name not in known and not any(hasattr(home, name) for home in homes)]
    assert missing == []
