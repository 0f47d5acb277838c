"""Settings of a run: their types, their defaults, and files of them. Importing them loads neither JAX nor ASE."""

from .checks import check_types, is_number
from .files import check_name, read_settings
from .model import CHOICES, LARGE_FROM, SIZES, ModelConfig
from .training import FREE, TRAINING_CHOICES, TrainingConfig

__all__ = [
    "CHOICES",
    "FREE",
    "LARGE_FROM",
    "SIZES",
    "TRAINING_CHOICES",
    "ModelConfig",
    "TrainingConfig",
    "check_name",
    "check_types",
    "is_number",
    "read_settings",
]
