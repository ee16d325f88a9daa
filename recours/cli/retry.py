"""`recours retry`: the same as scripts/pod_retry_scheduler.py, also where there is no checkout."""

from recours.cli.workers import as_subcommand

command = as_subcommand("retry", "pod_retry_scheduler")
