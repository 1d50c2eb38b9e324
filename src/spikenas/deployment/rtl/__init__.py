"""Runs firmware on RISC-V cores in RTL, cycle by cycle, under Verilator."""

from spikenas.deployment.rtl.machine import RTL_CORES, build_machine, link_program, missing, run_program, simulate

__all__ = ["RTL_CORES", "build_machine", "link_program", "missing", "run_program", "simulate"]
