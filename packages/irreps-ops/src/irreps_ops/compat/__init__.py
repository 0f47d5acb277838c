"""Other packages' names for our operations, so that programs written for those packages run."""
