"""The dashboard, which the operator opens in a browser."""
