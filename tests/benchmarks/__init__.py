"""Measurements, each beside a baseline of the same run: these machines are noisy, so only ratios mean anything."""
