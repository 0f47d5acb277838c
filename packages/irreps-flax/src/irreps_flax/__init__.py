"""Every irreps layer as a Flax module: :mod:`irreps_flax.nnx` and :mod:`irreps_flax.linen`."""

__version__ = "0.1.0"
