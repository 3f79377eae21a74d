"""Runs the demo inside the lab's namespaces; the exit code is not 0 when a release ended otherwise than expected."""

import sys

from lab.demo.play import main

if __name__ == "__main__":
    sys.exit(main())
