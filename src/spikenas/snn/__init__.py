"""Compute spiking networks in PyTorch: the LIF neuron, and the network built from a plan."""

from spikenas.snn.lif import LIF, lif_step
from spikenas.snn.network import Network, SpikeTrain

__all__ = ["LIF", "Network", "SpikeTrain", "lif_step"]
