"""The script that makes the tables needs SymPy and is no test."""

collect_ignore = ["make_golden.py"]
