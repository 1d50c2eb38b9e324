"""The campaign of wrong input, kills and faults of the machine; `benchmarks/attack.py` runs it."""
