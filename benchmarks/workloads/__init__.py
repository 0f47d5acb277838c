"""What is measured: a file for each workload, with ours and each peer's version."""
