"""e3nn-jax's Equinox module, `Linear`, which creates its weights from the irreps and channels that it is given."""

from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, as_irreps_array, frozen
from irreps_ops.bindings import Scope, binding

from . import _configured

LinearType: TypeAlias = Literal["vanilla", "indexed", "mixed", "mixed_per_channel"]


@frozen
class EquinoxLinear(_configured.Linear):
    """:class:`irreps_ops.Linear` whose `channel_out` adds a channel axis to data without one."""

    def __call__(self, scope: Scope, *inputs: Any) -> Any:
        """Apply the layer, see :class:`irreps_ops.Linear`."""
        if self.channel_out is not None:
            inputs = (*inputs[:-1], as_irreps_array(inputs[-1])[..., None, :])
        return super().__call__(scope, *inputs)


def _check_type(linear_type: str, num_indexed_weights: Any, weights_dim: Any, channel_in: Any) -> None:
    """Refuse an unknown `linear_type`, or one without the number that it needs."""
    needed = {
        "vanilla": {},
        "indexed": {"num_indexed_weights": num_indexed_weights},
        "mixed": {"weights_dim": weights_dim},
        "mixed_per_channel": {"weights_dim": weights_dim, "channel_in": channel_in},
    }
    if linear_type not in needed:
        raise ValueError(f"linear_type must be one of {', '.join(needed)}, got {linear_type!r}")
    for name, value in needed[linear_type].items():
        if value is None:
            raise ValueError(f"linear_type={linear_type!r} needs {name}, got None")


def linear_class() -> type:
    """Return the module class, made by the binding called "equinox".

    Raises:
        irreps_core.plugins.PluginLoadError: no installed distribution provides this binding, or it is broken.
    """
    base: Any = binding("equinox").module(EquinoxLinear)

    class Linear(base):
        """Equivariant linear map as an Equinox module, see :class:`irreps_ops.Linear`.

        Args:
            irreps_out: irreps of the output.
            irreps_in: irreps of the input.
            channel_out: number of channels of the output, a new axis before the irreps.
            channel_in: number of channels of the input, for ``linear_type="mixed_per_channel"``.
            biases: whether scalar outputs have a bias.
            path_normalization: see :class:`irreps_ops.FunctionalLinear`.
            gradient_normalization: see :class:`irreps_ops.FunctionalLinear`.
            num_indexed_weights: number of maps, for ``linear_type="indexed"``.
            weights_per_channel: has no effect; `linear_type` decides.
            force_irreps_out: return `irreps_out` exactly, with zeros where Schur's lemma forbids an output.
            weights_dim: number of external weights, for the mixed types.
            input_dtype: dtype of the parameters.
            linear_type: ``"vanilla"``, called with ``(x)``; ``"indexed"``, called with ``(indices, x)``; ``"mixed"``
                and ``"mixed_per_channel"``, called with ``(weights, x)``.
            key: random key of the initial weights.

        Raises:
            ValueError: an unknown `linear_type`, or one without the number that it needs.
        """

        def __init__(
            self,
            *,
            irreps_out: IntoIrreps,
            irreps_in: IntoIrreps,
            channel_out: int | None = None,
            channel_in: int | None = None,
            biases: bool = False,
            path_normalization: Any = None,
            gradient_normalization: Any = None,
            num_indexed_weights: int | None = None,
            weights_per_channel: bool = False,
            force_irreps_out: bool = False,
            weights_dim: int | None = None,
            input_dtype: Any = jnp.float32,
            linear_type: LinearType = "vanilla",
            key: jax.Array,
        ) -> None:
            del weights_per_channel
            _check_type(linear_type, num_indexed_weights, weights_dim, channel_in)
            irreps_in = Irreps(irreps_in)
            shape = (irreps_in.dim,) if channel_in is None else (channel_in, irreps_in.dim)
            x = IrrepsArray(irreps_in, jax.ShapeDtypeStruct(shape, input_dtype))
            mixed = linear_type in ("mixed", "mixed_per_channel")
            super().__init__(
                (Irreps([(weights_dim or 0, "0e")]), x) if mixed else x,
                irreps_out,
                channel_out,
                biases=biases,
                path_normalization=path_normalization,
                gradient_normalization=gradient_normalization,
                num_indexed_weights=num_indexed_weights if linear_type == "indexed" else None,
                weights_per_channel=linear_type == "mixed_per_channel",
                force_irreps_out=force_irreps_out,
                key=key,
                param_dtype=input_dtype,
            )

        _weights = property(lambda self: self.parameters)  # the private name that programs for e3nn-jax change
        irreps_out = property(_irreps_out)

    Linear.__qualname__, Linear.__module__ = "Linear", "irreps_compat.e3nn_jax.equinox"
    return Linear


def _irreps_out(module: Any) -> Irreps:
    """Return the irreps of the output of an Equinox module."""
    irreps_out = Irreps(module.layer.irreps_out)
    if module.layer.force_irreps_out:
        return irreps_out
    return irreps_out.filter(keep=Irreps(module.irreps_in[-1])).simplify()
