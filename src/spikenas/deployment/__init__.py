"""Brings integers to a device: writes C, and builds and measures firmware."""

from spikenas.deployment.deployment import deploy, random_vectors, test_vectors
from spikenas.deployment.nir import read_nir, write_nir

__all__ = ["deploy", "random_vectors", "read_nir", "test_vectors", "write_nir"]
