"""Writes the firmware of a network: generated C, and the kernels in `firmware/`."""
