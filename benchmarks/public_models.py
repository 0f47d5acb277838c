"""Time of energy, forces and stress of SevenNet-0 with irreps and with sevenn on PyTorch, and of compilation.

    uv run python benchmarks/public_models.py CHECKPOINT --peer PYTHON [--atoms 8 64 512] [--repeat 10]

`CHECKPOINT` is a file of the wheel sevenn, such as `checkpoint_sevennet_0.pth`, `PYTHON` the interpreter of an
environment with `torch` and `sevenn`. Each library runs in its own process, and the processes take turns, so that other
load on the machine affects both alike. The structure is rock salt with displaced atoms. "First" is the first call,
which contains compilation, after the weights are loaded.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np


def structure(atoms, step):
    """Return rock salt of this number of atoms, displaced differently in each step."""
    from ase.build import bulk

    repeats = {8: (1, 1, 1), 64: (2, 2, 2), 216: (3, 3, 3), 512: (4, 4, 4)}[atoms]
    made = bulk("NaCl", "rocksalt", a=5.63, cubic=True).repeat(repeats)
    made.positions += 0.03 * np.random.default_rng([7, step]).normal(size=made.positions.shape)
    return made


def calculator(library, checkpoint):
    """Return the calculator of a library."""
    if library == "sevenn":
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(checkpoint, device="cpu")
    from force_field.calculator import ForceFieldCalculator
    from force_field.pretrained import load

    return ForceFieldCalculator(load(checkpoint, "float32"), "float32")


def serve(library, checkpoint):
    """Answer each line, a number of atoms and a step, by the seconds of an evaluation and the energy."""
    found = calculator(library, checkpoint)
    for line in sys.stdin:
        atoms, step = map(int, line.split())
        made = structure(atoms, step)
        start = time.perf_counter()
        found.calculate(made, ["energy", "forces", "stress"])
        seconds = time.perf_counter() - start
        print(json.dumps([seconds, float(found.results["energy"])]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--peer", help="interpreter of the environment of sevenn")
    parser.add_argument("--atoms", type=int, nargs="+", default=[8, 64, 512], choices=[8, 64, 216, 512])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--serve", choices=["irreps", "sevenn"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.checkpoint)
        return 0
    interpreters = {"irreps": sys.executable, **({"sevenn": options.peer} if options.peer else {})}
    workers = {
        library: subprocess.Popen(
            [python, __file__, options.checkpoint, "--serve", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for library, python in interpreters.items()
    }

    def ask(library, atoms, step):
        worker = workers[library]
        worker.stdin.write(f"{atoms} {step}\n")
        worker.stdin.flush()
        while not (line := worker.stdout.readline()).startswith("["):
            if worker.poll() is not None:
                raise SystemExit(f"the process of {library} ended")
        return json.loads(line)

    print(f"{'atoms':>6} {'library':>8} {'first, s':>9} {'min, ms':>9} {'median, ms':>11} {'energy, eV':>14}")
    agree = True
    for atoms in options.atoms:
        times = {library: [ask(library, atoms, 0)] for library in workers}
        for step in range(1, options.repeat + 1):
            for library in workers:
                times[library].append(ask(library, atoms, step))
        for library, found in times.items():
            seconds = 1e3 * np.array([t for t, _ in found[1:]])
            print(
                f"{atoms:6d} {library:>8} {found[0][0]:9.2f} {seconds.min():9.2f} {np.median(seconds):11.2f} "
                f"{found[-1][1]:14.6f}",
                flush=True,
            )
        last = [found[-1][1] for found in times.values()]
        agree &= max(last) - min(last) < 1e-5 * abs(last[0])
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    if not agree:
        print("the energies disagree")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
