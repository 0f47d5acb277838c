"""From the file that a model was published as to a potential."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

import irreps_ops as irr
from force_field.derivatives import Potential
from force_field.errors import InputError
from force_field.sources import PUBLIC_MODELS as MODELS
from irreps_flax.nnx import binding

from . import mace, nequix, sevennet

_READERS: dict[str, Callable[[Path], tuple[Callable[[nnx.Rngs, str], Any], dict[str, Any]]]] = {
    "sevennet": sevennet.read,
    "nequix": nequix.read,
    "mace": mace.read,
}


class PretrainedError(InputError):
    """A file that is not a published model; the message states the reason."""


def recognize(path: Path) -> str | None:
    """Return the family of models that a file seems to be of; None for another file, a folder, or none at all."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if mace.is_ours(path):
            return "mace"
    except OSError:
        return None
    if start.startswith(b"PK\3\4"):
        return "sevennet"
    # Our own checkpoints begin with a length of eight bytes, some of which are zero.
    return "nequix" if start.startswith(b'{"') and 0 not in start else None


def load(path: str | Path, dtype: str = "float64", family: str | None = None) -> Potential:
    """Read a published model.

    Args:
        path: the file as published: a ``checkpoint_*.pth`` of SevenNet or a ``*.nqx`` of Nequix; or a file of MACE that
            :mod:`force_field.converters.mace_to_safetensors` wrote.
        dtype: dtype of the parameters; "float64" needs the JAX option jax_enable_x64.
        family: the family of the model, "sevennet", "nequix" or "mace" (default: as the content of the file says).

    Returns:
        The potential, for :class:`force_field.calculator.ForceFieldCalculator`.

    Raises:
        PretrainedError: the file is missing, damaged, or not a model that is supported.
    """
    path = Path(path)
    found = recognize(path)
    if found is None or family not in (None, found):
        what = "does not exist" if not path.exists() else f"is not a model of {family or ' or '.join(MODELS)}"
        raise PretrainedError(
            f"{path} {what}: expected a file that SevenNet or Nequix published, or one converted from MACE"
        )
    try:
        make, parameters = _READERS[found](path)
        model = nnx.eval_shape(lambda: make(nnx.Rngs(0), dtype))
        numbers = {name: np.asarray(leaf, dtype) for name, leaf in irr.bindings.tree_leaves(parameters)}
        wrong = [name for name, leaf in numbers.items() if not np.all(np.isfinite(leaf))]
        if wrong:
            raise ValueError(f"{wrong[0]!r} has numbers that are not finite")
        leaves = {name: jnp.asarray(leaf) for name, leaf in numbers.items()}
        return binding.from_trees(model, irr.bindings.tree_of_leaves(leaves))
    except OSError as error:
        raise PretrainedError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, IndexError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise PretrainedError(f"{path} is not a model of {found} that is supported: {reason:.500}") from None
