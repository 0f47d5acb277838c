"""The parameters of a model as a plain dictionary: cheap to pass to a jitted function, and named in checkpoints."""

import jax
from flax import nnx

from .model import ForceField

Parameters = dict[str, jax.Array]


class Structure:
    """A model without its parameters.

    Args:
        model: whose structure; it may be abstract, from ``nnx.eval_shape``.
    """

    def __init__(self, model: ForceField) -> None:
        """See the class."""
        self.graphdef, state = nnx.split(model)
        leaves = jax.tree_util.tree_leaves_with_path(state)
        self.names = [jax.tree_util.keystr(path) for path, _ in leaves]
        self.treedef = jax.tree.structure(state)
        self.first = dict(zip(self.names, (leaf for _, leaf in leaves), strict=True))

    def model(self, parameters: Parameters) -> ForceField:
        """The model with these parameters."""
        return nnx.merge(self.graphdef, jax.tree.unflatten(self.treedef, [parameters[name] for name in self.names]))
