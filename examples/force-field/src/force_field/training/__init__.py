"""Training: the loss, the optimizer, and a loop whose whole state is saved and resumed."""

from .trainer import Progress, Report, Trainer, learning_rate, loss, penalty

__all__ = ["Progress", "Report", "Trainer", "learning_rate", "loss", "penalty"]
