"""Eight tetrominoes, learned from one orientation of each and known in any: a small equivariant network."""
