"""Training: the loss, the optimizer, and a loop whose whole state is saved and resumed."""

from .loss import Weights, loss, penalty
from .optimizer import learning_rate, loss_weights, make_optimizer
from .progress import DivergedError, Progress, Report
from .trainer import Trainer

__all__ = [
    "DivergedError",
    "Progress",
    "Report",
    "Trainer",
    "Weights",
    "learning_rate",
    "loss",
    "loss_weights",
    "make_optimizer",
    "penalty",
]
