"""The package as a few functions: tasks, searches, training, integers, firmware, whole runs.

`import spikenas` gives them all; here they are in `functions`, and what they return in `products`.
"""
