"""Trees of parameters as bindings exchange them: dicts of dicts of arrays, the names those that layers ask for."""

from collections.abc import Iterator, Mapping
from typing import Any


def tree_leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of all leaves, in the order of the tree.

    Args:
        tree: dicts of dicts of arrays.
        path: what all paths begin with.

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
    """The tree of leaves named by their paths: the inverse of :func:`tree_leaves`.

    Args:
        leaves: for each path, names with ``/`` between them, an array.

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
    """Refuse a tree of parameters that has other names or shapes than a model.

    Args:
        found: the tree that is given, from a file say.
        expected: the tree of the model, or anything with its names and shapes.
        kind: what the leaves are called in the message.

    Raises:
        ValueError: names what is missing, what nobody asked for, and both shapes of what differs.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> irr.bindings.check_tree({"w": jnp.ones(2)}, {"w": jnp.ones(3)})
        Traceback (most recent call last):
        ...
        ValueError: these are parameters of another model: 'w' is of shape (2,), the model's of (3,)
    """
    given, wanted = dict(tree_leaves(found)), dict(tree_leaves(expected))
    wrong = [f"{path!r} is missing" for path in wanted if path not in given]
    wrong += [f"{path!r} is none of the model's" for path in given if path not in wanted]
    wrong += [
        f"{path!r} is of shape {tuple(given[path].shape)}, the model's of {tuple(value.shape)}"
        for path, value in wanted.items()
        if path in given and tuple(given[path].shape) != tuple(value.shape)
    ]
    if wrong:
        raise ValueError(f"these are {kind}s of another model: {'; '.join(wrong)}")
