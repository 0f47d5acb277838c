"""The layer `Linear`: an equivariant linear map whose weights are parameters."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray

from ._linear import FunctionalLinear, LinearPath
from ._normalization import Normalization, normalization_exponent
from ._operands import floating
from ._scope import Initializer, Scope, example_inputs


@dataclass(frozen=True)
class Linear:
    """Equivariant linear layer.

    Called on data of shape (..., [channel_in,] irreps_in.dim) in one of three ways:

    * ``(x)``: the weights are parameters;
    * ``(weights, x)`` with scalars `weights` of shape (..., d): each row of the data has its own map, whose
      weights are a learned linear function of its d scalars;
    * ``(indices, x)`` with integers `indices` of shape (...), and `num_indexed_weights`: each row takes the
      map of its index (of its chemical species, say).

    Outputs that the input has no irreps for are dropped, by Schur's lemma, unless `force_irreps_out`.

    Args:
        irreps_out: irreps of the output.
        channel_out: mix the last axis before the irreps, too, into this many channels.
        irreps_in: expected irreps of the input (default: those that come).
        biases: whether scalar outputs (0e) have a bias.
        path_normalization: see :class:`FunctionalLinear`.
        gradient_normalization: see :class:`FunctionalLinear`.
        parameter_initializer: makes the initializer of each parameter, instead of a normal distribution of
            the right standard deviation.
        instructions: pairs (input item, output item) to connect; needs `irreps_in`.
        num_indexed_weights: how many maps there are to choose from by index.
        weights_per_channel: with external weights, a map of its own for each channel of the last axis before
            the irreps.
        force_irreps_out: return `irreps_out` exactly, zeros where nothing can be.
        simplify_irreps_internally: sort and merge the irreps before mixing them.

    Raises:
        ValueError: arguments that exclude one another, input of other irreps than `irreps_in`, or weights
            that are neither indices nor scalars.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> x = ic.IrrepsArray("1o + 2x0e", jnp.ones(5))
        >>> layer = io.Linear("0e + 1o + 2e")
        >>> io.apply(layer, io.init(layer, jax.random.key(0), x), x).irreps
        1x0e+1x1o
    """

    irreps_out: IntoIrreps
    channel_out: int | None = None
    _: KW_ONLY
    irreps_in: IntoIrreps = None
    biases: bool = False
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None
    parameter_initializer: Callable[[], Initializer] | None = None
    instructions: Sequence[tuple[int, int]] | None = None
    num_indexed_weights: int | None = None
    weights_per_channel: bool = False
    force_irreps_out: bool = False
    simplify_irreps_internally: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked without input."""
        object.__setattr__(self, "irreps_out", Irreps(self.irreps_out))
        if self.irreps_in is not None:
            object.__setattr__(self, "irreps_in", Irreps(self.irreps_in))
        if self.instructions is not None:
            object.__setattr__(self, "instructions", tuple((int(i), int(o)) for i, o in self.instructions))
            if self.simplify_irreps_internally or self.channel_out is not None or self.irreps_in is None:
                raise ValueError(
                    "Linear with instructions needs irreps_in and simplify_irreps_internally=False, "
                    "and excludes channel_out: instructions count the items as they come"
                )
        if self.weights_per_channel and (self.channel_out is not None or self.num_indexed_weights):
            raise ValueError("Linear: weights_per_channel excludes channel_out and num_indexed_weights")

    def example(self, *irreps_in: IntoIrreps, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract inputs of one row, from which the shapes of the parameters follow.

        Args:
            irreps_in: irreps of the data; before them those of the external weights, if there are any.
            dtype: of the data.
        """
        inputs = example_inputs(*irreps_in, dtype=dtype)
        if self.num_indexed_weights is not None:
            return (jax.ShapeDtypeStruct((), jnp.int32), *inputs)
        return inputs

    def __call__(self, scope: Scope, *inputs: Any) -> IrrepsArray:
        """Apply the layer: ``(x)``, ``(weights, x)`` or ``(indices, x)``, see the class."""
        weights, x = self._operands(inputs)
        irreps_out = Irreps(self.irreps_out)
        self._check_irreps(x)
        if self.simplify_irreps_internally:
            x = x.remove_zero_chunks().regroup()
            irreps_out = irreps_out.simplify()
        if not self.force_irreps_out:
            irreps_out = irreps_out.filter(keep=x.irreps)
        if self.channel_out is not None:
            x, irreps_out = x.axis_to_mul(), self.channel_out * irreps_out
        f = FunctionalLinear(
            x.irreps,
            irreps_out,
            self.instructions,
            self.biases,
            self.path_normalization,
            self.gradient_normalization,
        )
        out = f([self._weights(scope, f, path, weights, x) for path in f.paths], x)
        if self.channel_out is not None:
            out = out.mul_to_axis(self.channel_out)
        return out.rechunk(self.irreps_out) if self.force_irreps_out else out

    def _operands(self, inputs: tuple[Any, ...]) -> tuple[Any, IrrepsArray]:
        """The external weights or indices (None if there are none), and the data in a floating dtype."""
        if len(inputs) not in (1, 2):
            raise ValueError(f"Linear takes (x), (weights, x) or (indices, x), got {len(inputs)} inputs")
        if len(inputs) == 1:
            if self.num_indexed_weights is not None:
                raise ValueError("Linear with num_indexed_weights takes (indices, x), got only x")
            (x,) = floating(inputs[0])
            return None, x
        weights = inputs[0]
        if isinstance(weights, IrrepsArray):
            if weights.irreps.dim > 0 and not weights.irreps.is_scalar():
                raise ValueError(f"the external weights of Linear must be scalars (0e), got {weights.irreps}")
            weights = weights.array
        weights = jnp.asarray(weights)
        if jnp.issubdtype(weights.dtype, jnp.integer) != (self.num_indexed_weights is not None):
            raise ValueError(
                "Linear takes integer indices if num_indexed_weights is given, and floating weights if not: "
                f"got {weights.dtype} with num_indexed_weights={self.num_indexed_weights}"
            )
        if self.num_indexed_weights is not None:
            (x,) = floating(inputs[1])
            return weights, x
        weights_array, x = floating(weights, inputs[1])
        return weights_array.array, x

    def _check_irreps(self, x: IrrepsArray) -> None:
        if self.irreps_in is None:
            return
        expected = Irreps(self.irreps_in)
        if self.instructions is not None:
            matches = x.irreps == expected
        else:
            matches = x.irreps.regroup() == expected.regroup()
        if not matches:
            raise ValueError(f"Linear was made for irreps_in={expected}, got input of irreps {x.irreps}")

    def _initializer(self, std: float) -> Initializer:
        if self.parameter_initializer is not None:
            return self.parameter_initializer()
        return jax.nn.initializers.normal(std) if std > 0 else jax.nn.initializers.zeros

    def _weights(
        self, scope: Scope, f: FunctionalLinear, path: LinearPath, weights: Any, x: IrrepsArray
    ) -> jax.Array:
        """The weights of a path, of shape (path_shape) or (..., path_shape)."""
        name, shape, dtype = f.parameter_name(path), path.path_shape, x.dtype
        if weights is None:
            return scope.parameter(name, shape, dtype, self._initializer(path.weight_std))
        if self.num_indexed_weights is not None:
            initializer = self._initializer(path.weight_std)
            return scope.parameter(name, (self.num_indexed_weights, *shape), dtype, initializer)[weights]
        # Each row mixes d maps by its d weights, scaled as the last layer of a perceptron would be.
        d = weights.shape[-1]
        exponent = normalization_exponent(self.gradient_normalization, "path", "gradient_normalization")
        scale = d**-0.5
        initializer = self._initializer(scale ** (1 - exponent) * path.weight_std)
        channels = x.shape[-2:-1] if self.weights_per_channel else ()
        w = scale**exponent * scope.parameter(name, (d, *channels, *shape), dtype, initializer)
        return jnp.tensordot(weights, w, axes=1, precision=jax.lax.Precision.HIGHEST)
