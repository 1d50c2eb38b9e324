"""Do what has nothing to do with spiking networks: files, units, errors, progress."""
