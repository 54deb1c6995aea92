"""Tests across real network boundaries: each host is a Linux network namespace."""
