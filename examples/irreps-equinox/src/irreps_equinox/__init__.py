"""Every irreps layer as an Equinox module, ours and those of plugins.

``irreps_equinox.NAME`` is the module of ``irreps_ops.bindings.layer("NAME")``. It takes `irreps_in`, then the arguments
of the layer, `key` and `param_dtype`. The package uses only the public interface of irreps_ops.

Example:
    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> import irreps_ops as irr, irreps_equinox
    >>> linear = irreps_equinox.Linear("2x0e + 1o", "4x0e + 1o", key=jax.random.key(0))
    >>> eqx.filter_jit(linear)(irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0))).irreps
    4x0e+1x1o
    >>> sorted(linear.parameters)
    ['w[0,0] 2x0e,4x0e', 'w[1,1] 1x1o,1x1o']
"""

import irreps_ops as irr

from ._binding import binding as binding

__version__ = "0.1.0"

__getattr__ = irr.bindings.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irr.bindings.layers(), "binding"]
