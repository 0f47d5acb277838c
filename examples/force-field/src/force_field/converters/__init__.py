"""Scripts for other environments, where PyTorch is; they import nothing of ours."""
