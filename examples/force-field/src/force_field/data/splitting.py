"""Which configurations are trained on."""

import numpy as np

from force_field.errors import DataError


def split(count: int, train: int | None, valid: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random, disjoint indices of training and validation frames.

    Args:
        count: number of frames.
        train: number of training frames (default: all except the validation frames).
        valid: number of validation frames (default: at most 200, either a fifth or, if `train` is given, the rest).
        seed: seed of the random choice.

    Raises:
        DataError: there are not enough frames.
    """
    if valid is None:
        rest = count - train if train is not None else count // 5
        valid = max(1, min(200, rest))
    if train is None:
        train = count - valid
    if train < 1 or valid < 1 or train + valid > count:
        raise DataError(
            f"cannot take {train} training and {valid} validation frames out of {count}: "
            "each must be at least 1; lower --train or --valid"
        )
    order = np.random.default_rng(seed).permutation(count)
    return order[:train], order[train : train + valid]
