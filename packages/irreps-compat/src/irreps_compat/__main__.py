"""Run a program written for e3nn-jax with irreps: ``python -m irreps_compat PROGRAM ARGUMENTS``.

``python -m irreps_compat guide`` prints the guide to this package.
"""

import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from typing import NoReturn

from irreps_core.__main__ import print_guide

from . import __version__
from ._redirect import redirect_e3nn_jax

_USAGE = """usage: python -m irreps_compat PROGRAM [ARGUMENT ...]
       python -m irreps_compat -m MODULE [ARGUMENT ...]
       python -m irreps_compat guide

Run a program written for e3nn-jax with irreps, without changing it: "import e3nn_jax" imports irreps_compat.e3nn_jax,
also where e3nn-jax is installed. The program gets its arguments, and returns its exit status, as without irreps_compat.
Python processes that the program starts itself are not affected.

  PROGRAM    a Python file, or a folder or zip file with a file __main__.py
  -m MODULE  run a module or a package as "python -m" does, for example: -m pytest tests
  guide      print imports, idioms and mistakes on a few pages; to run a program of this name, write ./guide
"""


def main(arguments: Sequence[str]) -> None:
    """Run a program; see the module.

    Args:
        arguments: the program, or ``-m`` and a module, and then the arguments of the program; or ``guide``.
    """
    if arguments[:1] in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return
    if arguments == ["guide"]:
        raise SystemExit(print_guide("irreps_compat", __version__, arguments))
    if not arguments or (arguments[0].startswith("-") and (arguments[0] != "-m" or len(arguments) < 2)):
        got = f"unknown option {arguments[0]}" if arguments and arguments[0] != "-m" else "no program is given"
        _refuse(f"{got}\n{_USAGE}", status=2)
    redirect_e3nn_jax()
    if arguments[0] == "-m":
        _, name, *rest = arguments
        _check_module(name)
        sys.argv[:] = [name, *rest]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    program, *rest = arguments
    if not os.path.exists(program):
        _refuse(f"the program {program!r} does not exist", status=2)
    folder = os.path.isdir(program)
    if folder and not os.path.exists(os.path.join(program, "__main__.py")):
        _refuse(f"the folder {program!r} has no file __main__.py", status=2)
    sys.argv[:] = [program, *rest]
    if not folder and not sys.flags.safe_path:
        # Python has put the working directory there, for `-m`; a program finds its own folder.
        sys.path[0] = os.path.dirname(os.path.realpath(program))
    runpy.run_path(program, run_name="__main__")


def _check_module(name: str) -> None:
    """Exit if there is no module of this name that can be run. An error inside its package is raised."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    if spec is None:
        _refuse(f"no module named {name}", status=1)


def _refuse(message: str, status: int) -> NoReturn:
    print(f"python -m irreps_compat: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
