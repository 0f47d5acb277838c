"""The command ``tetris``."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

import jax

from .shapes import MIRRORED, NAMES
from .training import accuracy, equivariance, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, test, print a table; the exit code is 0 if every answer was right, 2 if nobody reads the output."""
    options = parser().parse_args(arguments)
    try:
        right = run(options)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left in the buffer
        print(f"tetris: cannot write the output: {error.strerror}", file=sys.stderr)
        return 2
    return 0 if right else 1


def run(options: argparse.Namespace) -> bool:
    """Train, test, print a table; return whether every answer was right."""
    print("Training on one orientation of each of the eight tetrominoes.")
    start = time.perf_counter()

    def report(step: int, loss: float) -> None:
        if step % max(options.steps // 5, 1) == 0:
            print(f"  step {step:4d} of {options.steps}   loss {loss:.4f}")

    model = train(options.seed, options.steps, report)
    print(f"Trained in {time.perf_counter() - start:.0f} s. Now {options.orientations} random orientations of each:\n")

    turned_key, mirrored_key, error_key = jax.random.split(jax.random.key(options.seed), 3)
    turned = accuracy(model, turned_key, options.orientations, mirrored=False)
    mirrored = accuracy(model, mirrored_key, options.orientations, mirrored=True)
    print(f"  {'shape':12} {'turned':>8}   {'mirrored':>8}   its mirror image is")
    for name, one, other, image in zip(NAMES, turned, mirrored, MIRRORED, strict=True):
        print(f"  {name:12} {one:8.1%}   {other:8.1%}   {'itself' if NAMES[image] == name else NAMES[image]}")
    print(f"  {'all':12} {turned.mean():8.1%}   {mirrored.mean():8.1%}")

    errors = equivariance(model, error_key)
    print("\nEquivariance error: " + ", ".join(f"{kind} {error:.0e}" for kind, error in errors.items()))
    return bool(turned.mean() == mirrored.mean() == 1)


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="tetris",
        description="Learn the eight tetrominoes from one orientation of each, and know them in any.",
    )
    made.add_argument("--steps", type=positive, default=150, help="steps of training (default: %(default)s)")
    made.add_argument(
        "--orientations", type=positive, default=200, help="random orientations to test (default: %(default)s)"
    )
    made.add_argument("--seed", type=int, default=0, help="of the parameters and orientations (default: %(default)s)")
    return made


def positive(text: str) -> int:
    """A positive whole number."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, got {text!r}")
    return int(text)
