"""From integers to a device: C sources, firmware that is built and measured."""

from spikenas.deploy.deployment import deploy
from spikenas.deploy.nir_graph import read_nir, write_nir

__all__ = ["deploy", "read_nir", "write_nir"]
