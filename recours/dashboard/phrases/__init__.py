"""What each view says, in English and French."""
