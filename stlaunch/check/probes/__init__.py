"""One file a probe: each uses the network and returns an observation; none of them judges."""
