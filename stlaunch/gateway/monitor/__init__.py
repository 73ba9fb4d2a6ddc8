"""What the traffic shows: detectors, and the log of findings."""
