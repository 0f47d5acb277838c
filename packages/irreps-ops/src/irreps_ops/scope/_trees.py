"""Trees of names, in which bindings exchange parameters and state: nested dicts of arrays."""

from collections.abc import Iterator, Mapping
from typing import Any


def tree_leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each leaf, in the order of the tree.

    Args:
        tree: nested dicts of arrays.
        path: prefix of all paths.

    Example:
        >>> import irreps_ops as irr
        >>> list(irr.bindings.tree_leaves({"linear": {"w": 1.0}, "b": 2.0}))
        [('linear/w', 1.0), ('b', 2.0)]
    """
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from tree_leaves(value, f"{path}{name}/")
        else:
            yield path + name, value


def tree_of_leaves(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree that has the given leaves: the inverse of :func:`tree_leaves`.

    Args:
        leaves: arrays by path, which is a sequence of names separated by ``/``.

    Example:
        >>> import irreps_ops as irr
        >>> irr.bindings.tree_of_leaves({"linear/w": 1.0, "b": 2.0})
        {'linear': {'w': 1.0}, 'b': 2.0}
    """
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *branches, name = path.split("/")
        branch = tree
        for one in branches:
            branch = branch.setdefault(one, {})
        branch[name] = value
    return tree


def check_tree(found: Mapping[str, Any], expected: Mapping[str, Any], kind: str = "parameter") -> None:
    """Raise an error if a tree of parameters has other names or shapes than a model.

    Args:
        found: the tree to check, for example from a file.
        expected: the tree of the model, or any tree with its names and shapes.
        kind: the word for a leaf in the message.

    Raises:
        ValueError: the message names the parameters that are missing or unknown, and both shapes where they differ.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.bindings.check_tree({"w": jnp.ones(2)}, {"w": jnp.ones(3)})
        Traceback (most recent call last):
        ...
        ValueError: these parameters belong to another model: 'w' has shape (2,), that of the model is (3,)
    """
    given, wanted = dict(tree_leaves(found)), dict(tree_leaves(expected))
    wrong = [f"{path!r} is missing" for path in wanted if path not in given]
    wrong += [f"{path!r} is unknown to the model" for path in given if path not in wanted]
    wrong += [
        f"{path!r} has shape {tuple(given[path].shape)}, that of the model is {tuple(value.shape)}"
        for path, value in wanted.items()
        if path in given and tuple(given[path].shape) != tuple(value.shape)
    ]
    if wrong:
        subject = "this state belongs" if kind == "state" else f"these {kind}s belong"
        raise ValueError(f"{subject} to another model: {'; '.join(wrong)}")
