"""What a person asks of the system, or has it do, beside the runs."""
