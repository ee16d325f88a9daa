"""What watches runs: a check that is pinged, and a file of metrics."""
