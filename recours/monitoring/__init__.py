"""Who looks on while runs work: a check that is pinged, a file of metrics, a bar on the terminal."""
