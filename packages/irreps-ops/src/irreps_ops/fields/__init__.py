"""Fields in space: gradients, curl and divergence; voxel grids."""
