"""An equivariant force field trained on quantum chemistry."""
