"""Runs the command line for `python -m recours`."""

from recours.cli.main import main

if __name__ == "__main__":
    main()
