"""Watch the traffic: detectors, and the log of findings."""
