"""Real spherical and solid harmonics, and Legendre functions."""
