"""Pictures of irreps, harmonics, signals, products and errors of equivariance, with matplotlib.

Each function draws into the matplotlib axes `ax`, or into a new figure, and returns the axes. Nothing is shown or
saved: call ``plt.show()`` or ``ax.figure.savefig("picture.svg")``. Colours are those of Okabe and Ito, which
colour-blind readers can tell apart; parity is also shown by hatching.

matplotlib is needed (``pip install irreps-ops[plot]``). It is imported when something is drawn.

Example:
    >>> from irreps_ops import plots
    >>> ax = plots.tensor_product("8x0e + 4x1o", "0e + 1o")
    >>> ax.get_title()
    '8x0e+4x1o ⊗ 1x0e+1x1o: 6 paths'
"""

from irreps_core import set_module

from ._equivariance import equivariance_error
from ._harmonics import signal, spherical_harmonics
from ._irreps import irreps
from ._matrices import clebsch_gordan, wigner_D
from ._paths import tensor_product

__all__ = [
    "clebsch_gordan",
    "equivariance_error",
    "irreps",
    "signal",
    "spherical_harmonics",
    "tensor_product",
    "wigner_D",
]

set_module(__name__, [globals()[_name] for _name in __all__])
