"""Programs and weights of other libraries on irreps: :mod:`irreps_compat.e3nn_jax` and :mod:`irreps_compat.e3nn`."""

__version__ = "0.1.0"
