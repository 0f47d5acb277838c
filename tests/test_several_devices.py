"""The compute core on eight virtual devices: under shard_map and under plain jit, the numbers of one device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "several_devices.py"


@pytest.mark.slow
def test_eight_devices_give_the_numbers_of_one():
    done = subprocess.run([sys.executable, "-W", "error", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(found) == 10
    assert not {name: wrong for name, wrong in found.items() if wrong}
