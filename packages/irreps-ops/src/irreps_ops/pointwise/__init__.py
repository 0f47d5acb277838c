"""Operations on each point alone: activations, gates, layer norm, radial functions and cutoffs."""
