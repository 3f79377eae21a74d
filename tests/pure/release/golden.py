"""Writes the golden stories anew: `python -m tests.pure.release.golden`. Read the difference before you keep it."""

from pathlib import Path

from tests.pure.release.tales import texts

STORIES = Path(__file__).parent / "stories"


def main() -> None:
    """Writes every story, and removes those that are told no more."""
    STORIES.mkdir(exist_ok=True)
    written = dict(texts())
    for old in STORIES.glob("*.txt"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (STORIES / name).write_text(text)


if __name__ == "__main__":
    main()
