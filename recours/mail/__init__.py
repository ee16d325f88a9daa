"""Email: who gets which, how they are rendered, and how they are sent."""
