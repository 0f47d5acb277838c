"""Every irreps layer as a Haiku module, ours and those of plugins.

``irreps_haiku.NAME`` is the module of ``irreps_ops.bindings.layer("NAME")``. It takes the arguments of the layer, and
`name`.

Example:
    >>> import haiku as hk, jax, jax.numpy as jnp
    >>> import irreps_ops as irr, irreps_haiku
    >>> f = hk.without_apply_rng(hk.transform(lambda x: irreps_haiku.Linear("4x0e + 1o")(x)))
    >>> x = irr.IrrepsArray("2x0e + 1o", jnp.arange(5.0))
    >>> params = f.init(jax.random.key(0), x)
    >>> f.apply(params, x).irreps
    4x0e+1x1o
"""

import irreps_ops as irr

from ._binding import binding as binding

__version__ = "0.1.0"

__getattr__ = irr.bindings.module_lookup(__name__, binding)


def __dir__() -> list[str]:
    return [*irr.bindings.layers(), "binding"]
