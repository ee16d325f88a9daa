"""What people read of the system and of claims: status, problems, results, plans."""
