"""Measurements, each peer beside softdraw in the same run; `python -m benchmarks` prints the table."""
