"""What the coming runs will do, found out by letting them happen on paper: pure functions over what is known now."""
