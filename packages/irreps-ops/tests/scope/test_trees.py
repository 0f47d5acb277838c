"""Trees of names: the bounds of their depth, and the messages of their checks."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from irreps_ops.bindings import check_tree, tree_leaves, tree_of_leaves
from irreps_ops.scope import _trees


def nested(depth):
    tree = 0.0
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def test_a_hundred_names_are_the_limit():
    path = "/".join("a" * 100)
    assert list(tree_leaves(nested(100))) == [(path, 0.0)]
    assert tree_of_leaves({path: 0.0}) == nested(100)
    with pytest.raises(ValueError, match="more than 100 branches deep"):
        list(tree_leaves(nested(101)))
    with pytest.raises(ValueError, match="101 names, expected at most 100"):
        tree_of_leaves({path + "/a": 0.0})


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("a/b", "a/b/c")])
def test_a_leaf_is_not_a_branch(paths):
    with pytest.raises(ValueError, match=rf"'{paths[1]}' is a leaf, and so is a path that begins with it"):
        tree_of_leaves(dict.fromkeys(paths, 0.0))


def test_many_differences_are_counted():
    assert _trees.some([str(n) for n in range(20)]) == "; ".join(map(str, range(20)))
    assert _trees.some([str(n) for n in range(23)]) == "; ".join(map(str, range(20))) + "; and 3 more"
    wanted = {f"n{n}": np.ones(2) for n in range(21)}
    with pytest.raises(
        ValueError, match=r"^these parameters belong to another model: 'n0' is missing; .*; and 1 more$"
    ):
        check_tree({}, wanted)
    with pytest.raises(ValueError, match=r"^this state belongs to another model: 'n20' is unknown to the model$"):
        check_tree(wanted, {name: wanted[name] for name in list(wanted)[:20]}, "state")


KINDS = {
    "floats": (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64),
    "complex": (jnp.complex64, jnp.complex128),
    "integers": (jnp.int8, jnp.uint32, jnp.int64),
    "bool": (jnp.bool_,),
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_kinds_of_numbers_are_not_mixed(first, second):
    for one in KINDS[first]:
        for other in KINDS[second]:
            given, wanted = {"w": jnp.ones(2, one)}, {"w": jnp.ones(2, other)}
            if first == second:
                check_tree(given, wanted)
                continue
            message = f"'w' has dtype {given['w'].dtype}, that of the model is {wanted['w'].dtype}"
            with pytest.raises(ValueError, match=re.escape(message)):
                check_tree(given, wanted)
