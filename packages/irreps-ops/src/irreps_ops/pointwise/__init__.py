"""Operations that treat each element of the leading axes independently: activations, gates, radial functions, ..."""
