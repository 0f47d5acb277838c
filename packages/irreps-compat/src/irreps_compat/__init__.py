"""Programs and weights of other libraries, run with irreps.

* :mod:`irreps_compat.e3nn_jax`: programs written for e3nn-jax, ``import irreps_compat.e3nn_jax as e3nn``;
* :mod:`irreps_compat.e3nn`: weights of e3nn (PyTorch).

This package imports neither; import the one that you need.
"""

__version__ = "0.1.0"

__all__: list[str] = []
