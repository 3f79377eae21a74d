"""The lab by hand: `python -m lab isolated | up | in | down | programs`."""

import sys

from lab.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
