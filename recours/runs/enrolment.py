"""What is said of claims that nobody has enrolled: the same in the log, `--dry-run`, `status`, `check` and on the page."""

# So many are counted: more are "or more".
MOST_NOT_ENROLLED = 10_000


def not_enrolled(count: int) -> str:
    """The one line that says that claims are not worked on since nobody has decided; "": there are none."""
    if not count:
        return ""
    shown = f"{MOST_NOT_ENROLLED} or more" if count >= MOST_NOT_ENROLLED else str(count)
    what = "claim with a tracking number is" if count == 1 else "claims with a tracking number are"
    return (
        f"{shown} open {what} not enrolled, so no POD is fetched for {'it' if count == 1 else 'them'}. To choose which "
        "ones are: recours enroll. To leave them all out: RECOURS_ENROLL_NEW=false."
    )
