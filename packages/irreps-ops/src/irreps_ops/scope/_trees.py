"""Trees of names, in which bindings exchange parameters and state: nested dicts of arrays."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from irreps_core import shown

_DEEPEST = 100  # names of a path; far more than models have, far fewer than Python can recurse into


def tree_leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each leaf, in the order of the tree.

    Args:
        tree: nested dicts of arrays.
        path: prefix of all paths.

    Raises:
        ValueError: the tree is more than 100 branches deep.

    Example:
        >>> import irreps_ops as irr
        >>> list(irr.bindings.tree_leaves({"linear": {"w": 1.0}, "b": 2.0}))
        [('linear/w', 1.0), ('b', 2.0)]
    """
    return _leaves(tree, path, _DEEPEST)


def _leaves(tree: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth <= 0:
        raise ValueError(f"a tree of names is more than {_DEEPEST} branches deep, at {shown(path)}")
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}/", depth - 1)
        else:
            yield f"{path}{name}", value


def tree_of_leaves(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree that has the given leaves: the inverse of :func:`tree_leaves`.

    Args:
        leaves: arrays by path, which is a sequence of names separated by ``/``.

    Raises:
        ValueError: a path is also the beginning of another, or has more than 100 names.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.tree_of_leaves({"linear/w": 1.0, "b": 2.0})
        {'linear': {'w': 1.0}, 'b': 2.0}
    """
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *branches, name = path.split("/")
        if len(branches) >= _DEEPEST:
            raise ValueError(f"{shown(path)} has {len(branches) + 1} names, expected at most {_DEEPEST}")
        branch: Any = tree
        for one in branches:
            branch = branch.setdefault(one, {})
            if not isinstance(branch, dict):
                break
        if not isinstance(branch, dict) or name in branch:
            raise ValueError(f"{shown(path)} is a leaf, and so is a path that begins with it or that it begins with")
        branch[name] = value
    return tree


def check_tree(found: Mapping[str, Any], expected: Mapping[str, Any], kind: str = "parameter") -> None:
    """Raise an error if a tree of parameters has other names, shapes or kinds of numbers than a model.

    Args:
        found: the tree to check, for example from a file.
        expected: the tree of the model, or any tree with its names, shapes and dtypes. Floating-point numbers of
            another precision fit; integers, bool and complex numbers in their place do not.
        kind: the word for a leaf in the message.

    Raises:
        ValueError: the message names the parameters that are missing or unknown, and both shapes or dtypes where they
            differ.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.bindings.check_tree({"w": jnp.ones(2)}, {"w": jnp.ones(3)})
        Traceback (most recent call last):
        ...
        ValueError: these parameters belong to another model: 'w' has shape (2,), that of the model is (3,)
    """
    given, wanted = dict(tree_leaves(found)), dict(tree_leaves(expected))
    wrong = [f"{shown(path)} is missing" for path in wanted if path not in given]
    wrong += [f"{shown(path)} is unknown to the model" for path in given if path not in wanted]
    both = [(shown(path), given[path], value) for path, value in wanted.items() if path in given]
    wrong += [
        f"{path} has shape {tuple(one.shape)}, that of the model is {tuple(other.shape)}"
        for path, one, other in both
        if tuple(one.shape) != tuple(other.shape)
    ]
    wrong += [
        f"{path} has dtype {one.dtype}, that of the model is {other.dtype}"
        for path, one, other in both
        if None not in (_kind(one), _kind(other)) and _kind(one) != _kind(other)
    ]
    if wrong:
        subject = "this state belongs" if kind == "state" else f"these {kind}s belong"
        raise ValueError(f"{subject} to another model: {some(wrong)}")


def some(lines: list[str]) -> str:
    """Return lines joined by semicolons; of many only the first ones, and how many more there are."""
    rest = f"; and {len(lines) - 20} more" if len(lines) > 20 else ""
    return "; ".join(lines[:20]) + rest


def _kind(array: Any) -> Any:
    """Return the kind of numbers of an array; None if it has no dtype, or one that NumPy lacks (random keys)."""
    dtype = getattr(array, "dtype", None)
    kinds = jnp.floating, jnp.complexfloating, jnp.integer, np.bool_
    return next((kind for kind in kinds if dtype is not None and jnp.issubdtype(dtype, kind)), None)
