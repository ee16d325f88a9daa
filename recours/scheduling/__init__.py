"""What this machine does for us beside running: its scheduler, its files' permissions, its disk."""
