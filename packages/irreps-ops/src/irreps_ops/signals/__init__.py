"""Functions on the sphere and on SO(3)."""
