"""Kill training runs at random moments, resume them to their end, and compare them with an undisturbed run, bit by bit.

    uv run python examples/force-field/tests/kill_and_resume.py 20

Every other run is killed twice. The processes are forks of this one, which has loaded JAX but has not started it.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
from safetensors.numpy import load_file

from force_field import train
from force_field.cli import main
from force_field.sources import CHECKPOINT
from force_field.training import logs
from irreps_ops.checkpoint import read_header

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5
O 0.0 0.0 0.1 0.0 0.0 {x}
H 0.0 0.8 -0.5 0.0 {x} -0.1
H 0.0 -0.8 -0.{y} 0.0 -0.1 -0.1
"""
SMALL = ["--batch-size=2", "--channels=2", "--layers=1", "--lmax=0"]
OPTIONS = [*SMALL, "--valid=4", "--epochs=8", "--save-every=1e-9"]
STEPS = 32


def start(folder: Path, data: Path) -> int:
    """Start or continue a run in a process of its own, and return the id of the process."""
    process = os.fork()
    if process:
        return process
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        train.Run.finish = lambda *_: None  # tables and plots, which change no state
        resume = ["--resume"] if folder.exists() else []
        code = main(["train", "--data", str(data), "--out", str(folder), *OPTIONS, *resume])
        sys.stderr.flush()
        os._exit(code)
    finally:
        os._exit(99)


def finish(folder: Path, data: Path) -> float:
    """Let a run come to its end and return the seconds that it took."""
    begin = time.monotonic()
    _, status = os.waitpid(start(folder, data), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"a run ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin


def steps_of(folder: Path) -> int:
    """Return the number of steps of the checkpoint in a folder, or -1 if there is none."""
    path = folder / CHECKPOINT
    return read_header(path)["about"]["progress"]["steps"] if path.exists() else -1


def kill(process: int, folder: Path, rng: random.Random, seconds: float) -> str:
    """Kill a process after a random time or after a random step, and return the moment in words."""
    if rng.random() < 0.5:
        moment = rng.uniform(0, seconds)
        time.sleep(moment)
        text = f"{moment:.1f} s"
    else:
        step = rng.randrange(1, STEPS)
        while steps_of(folder) < step:
            if os.waitpid(process, os.WNOHANG)[0]:
                raise RuntimeError(f"a run ended by itself, before step {step}")
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        text = f"step {step}"
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return text


def result(folder: Path) -> tuple[Any, ...]:
    """Return arrays, history, log and progress of a finished run, without times."""
    left = sorted(path.name for path in folder.iterdir())
    if left != [CHECKPOINT, logs.NAME]:
        raise RuntimeError(f"expected checkpoint and log alone, got {left}")
    lines = [json.loads(line) for line in (folder / logs.NAME).read_text().splitlines()]
    progress = read_header(folder / CHECKPOINT)["about"]["progress"]
    history = [{k: v for k, v in line.items() if k != "seconds"} for line in progress.pop("history")]
    arrays = {name: array.tobytes() for name, array in load_file(folder / CHECKPOINT).items()}
    log = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return arrays, history, log, {k: v for k, v in progress.items() if k != "seconds"}


def run(count: int, seed: int) -> int:
    """Return how many of `count` runs end as the undisturbed run does."""
    rng, equal = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        jax.config.update("jax_compilation_cache_dir", str(top / "cache"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        data = top / "water.extxyz"
        data.write_text("".join(WATER.format(x=0.2 + 0.01 * k, y=500 + k) for k in range(12)))
        seconds = finish(top / "whole", data)
        for number in range(count):
            folder, moments = top / str(number), []
            for _ in range(2 - number % 2):
                moments.append(kill(start(folder, data), folder, rng, seconds))
            steps = steps_of(folder)
            finish(folder, data)
            same = result(folder) == result(top / "whole")
            equal += same
            print(
                f"killed after {' and '.join(moments)}, resumed from step {steps}: {'equal' if same else 'DIFFERENT'}",
                flush=True,
            )
    return equal


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    found = run(runs, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{found} of {runs} runs end bitwise equal to the undisturbed run")
    sys.exit(found != runs)
