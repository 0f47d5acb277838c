"""The scripts that make the golden values need other libraries and are no tests."""

collect_ignore_glob = ["make_*.py"]
