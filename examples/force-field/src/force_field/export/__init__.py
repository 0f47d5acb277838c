"""Force fields for other programs: files that JAX alone runs, and energy functions for jax-md."""
