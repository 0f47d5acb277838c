"""Files that a command reads: whether they exist is known at once, before JAX and ASE are loaded."""

from collections.abc import Sequence
from pathlib import Path

from .errors import CheckpointError, DataError

CHECKPOINT = "checkpoint.safetensors"  # its name in the folder of a training run
PUBLIC_MODELS = ("sevennet", "nequix", "mace")
BUILT_IN = ("ethanol", "aspirin")


def check_data(sources: Sequence[str]) -> None:
    """Check that data sets exist; each is a built-in one or a file.

    Raises:
        DataError: a file does not exist.
    """
    for source in sources:
        if source not in BUILT_IN and _is_missing(Path(source)):
            raise DataError(
                f"{source} does not exist: give a file in extended XYZ (.xyz, .xyz.gz) or HDF5 (.h5), a database of "
                f"ASE (.db), or {' or '.join(BUILT_IN)}"
            )


def check_checkpoint(path: Path, origin: str = "`force-field train` writes it") -> None:
    """Check that a checkpoint, a folder of a training run or a public model exists.

    Args:
        path: the file or folder.
        origin: where such files come from, for the message.

    Raises:
        CheckpointError: it does not.
    """
    if _is_missing(path):
        raise CheckpointError(f"{path} does not exist: {origin}")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with a null character is none of a file
        return True
    except OSError:  # what reads the file explains it
        return False
    return False
