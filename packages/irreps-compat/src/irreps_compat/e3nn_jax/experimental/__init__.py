"""e3nn-jax's `experimental`: convolutions of points and voxels, attention."""
