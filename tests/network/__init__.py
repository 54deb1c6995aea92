"""Tests across real network boundaries, where each host is a Linux network namespace."""
