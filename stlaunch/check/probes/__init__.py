"""The probes, one file each: they use the network and return observations."""
