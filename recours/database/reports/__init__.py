"""What commands and the page read out of the database."""
