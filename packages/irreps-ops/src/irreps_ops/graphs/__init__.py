"""Operations on graphs: edge index, convolution, scatter, softmax, neighbour lists and batching."""
