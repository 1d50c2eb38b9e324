"""From integers to a device: C sources, firmware that is built and measured."""

from spikenas.deploy.deployment import deploy

__all__ = ["deploy"]
