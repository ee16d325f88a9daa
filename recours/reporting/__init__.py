"""Reports about the system and its claims: status, problems, results, plans."""
