"""What the page shows, and what it does: a module for each of its views."""
