"""e3nn-jax's `legacy`: tensor products described by instructions."""

from ._functional import FunctionalFullyConnectedTensorProduct as FunctionalFullyConnectedTensorProduct
from ._functional import FunctionalTensorProduct as FunctionalTensorProduct
from ._functional import Instruction as Instruction
