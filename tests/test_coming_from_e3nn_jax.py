"""The page for users of e3nn-jax names everything that there is to name."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = ROOT / "packages" / "irreps-compat" / "tests" / "e3nn_jax_names.txt"
CLASSES = ("Irrep.", "MulIrrep.", "Irreps.", "IrrepsArray.", "IrrepsData.", "SphericalSignal.", "SO3Signal.")


def test_every_name_is_in_the_table():
    page = (ROOT / "docs" / "coming-from-e3nn-jax.md").read_text()
    first_column = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`([\w.]+)`", first_column))
    wanted = {line.split(":")[0] for line in NAMES.read_text().splitlines() if line[0] != "#"}
    # Methods are mapped with their class.
    wanted = {name for name in wanted if not name.startswith(CLASSES) and not name.endswith("__call__")}
    assert sorted(wanted - named) == []
