"""`recours fetch`: the same as scripts/pod_fetch_worker.py, also where there is no checkout."""

from recours.cli.workers import as_subcommand

command = as_subcommand("fetch", "pod_fetch_worker")
