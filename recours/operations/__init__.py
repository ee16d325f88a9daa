"""The operator's desk: what a person asks of the system, and has it do, beside the runs."""
