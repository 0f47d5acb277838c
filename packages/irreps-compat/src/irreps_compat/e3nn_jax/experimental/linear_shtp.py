"""Linear maps of the product with spherical harmonics: `shtp`, and :class:`irreps_ops.LinearSHTP` for Flax."""

import irreps_ops as irr
from irreps_compat.e3nn_jax._irreps_array import own_results
from irreps_compat.e3nn_jax._layers import _configured
from irreps_compat.e3nn_jax._layers._lookup import classes_of, module_lookup

shtp = own_results(irr.shtp)
shtp.__module__ = __name__
__getattr__ = module_lookup(__name__, classes_of("linen", _configured.LinearSHTP))
