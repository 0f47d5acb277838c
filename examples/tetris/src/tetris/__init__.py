"""tetris."""
