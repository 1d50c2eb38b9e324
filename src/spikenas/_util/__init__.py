"""What has nothing to do with spiking networks: files, units, errors, progress."""
