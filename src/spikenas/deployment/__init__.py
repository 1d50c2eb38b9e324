"""Brings integers to a device: writes C, and builds and measures firmware."""

from spikenas.deployment.deployment import Verified, deploy, for_target, random_vectors, spread, test_vectors
from spikenas.deployment.exporting import check_export, export
from spikenas.deployment.nir import read_nir, write_nir

__all__ = [
    "Verified",
    "check_export",
    "deploy",
    "export",
    "for_target",
    "random_vectors",
    "read_nir",
    "spread",
    "test_vectors",
    "write_nir",
]
