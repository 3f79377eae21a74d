"""Writes what is derived from the product's own types and tables: the CRD, the reference, the runbook, the states.

python tools/generate.py            write the files
python tools/generate.py --check    write nothing; exit 1 and name the files that are stale
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "operator")]  # this tree, installed or not

from tools.custom_resource import definition_file  # noqa: E402
from tools.outcomes import outcomes_file  # noqa: E402
from tools.reference import reference_file  # noqa: E402
from tools.runbook import runbook_file, states_file  # noqa: E402
from tools.simulated import picture, picture_paths, simulated_page  # noqa: E402

FILES: Mapping[str, Callable[[], str]] = {
    "crds/canaryreleases.yaml": definition_file,
    "docs/outcomes.md": outcomes_file,
    "docs/reference.md": reference_file,
    "docs/runbook.md": runbook_file,
    "docs/states.md": states_file,
    "docs/simulate.md": simulated_page,
    **{path: partial(picture, path) for path in picture_paths()},
}


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    stale = []
    for name, content in FILES.items():
        path, wanted = ROOT / name, content()
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        stale.append(name)
        if arguments != ["--check"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    if arguments == ["--check"]:
        for name in stale:
            print(f"{name} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    print("\n".join(f"wrote {name}" for name in stale) or "nothing changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
