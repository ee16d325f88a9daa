"""What the coming runs of both workers will do: the real workers, over claims, quotas and carriers in memory."""
