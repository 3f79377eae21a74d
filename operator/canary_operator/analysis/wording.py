"""Numbers as a person reads them. Refuses to choose words that depend on a decision."""

from math import exp, log

_NAMED = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
_TEN = 10
_LARGEST_NAMED = log(1e15)


def odds_text(ln: float) -> str:
    """Odds from their natural logarithm.

    >>> odds_text(5.83), odds_text(-3.0), odds_text(15.3), odds_text(0.0)
    ('340:1', '1:20', '4.4 million:1', '1:1')
    """
    ratio = _ratio_text(abs(ln))
    return f"1:{ratio}" if ln < 0 else f"{ratio}:1"


def _ratio_text(ln: float) -> str:
    if ln > _LARGEST_NAMED:
        return f"10^{ln / log(10):.0f}"
    ratio = exp(ln)
    for unit, name in _NAMED:
        if ratio >= unit:
            return f"{ratio / unit:.1f}{name}" if ratio < _TEN * unit else f"{ratio / unit:.0f}{name}"
    return f"{ratio:,.0f}" if round(ratio) >= _TEN else f"{ratio:.2g}"


def points_text(share: float) -> str:
    """A difference of shares in percentage points.

    >>> points_text(0.001), points_text(0.01), points_text(0.0065)
    ('0.1 points', '1 point', '0.65 points')
    """
    number = f"{100 * share:.3g}"
    return f"{number} point" if number == "1" else f"{number} points"


def seconds_text(seconds: float) -> str:
    """A span of time, in whole seconds.

    >>> seconds_text(195.2), seconds_text(60), seconds_text(0.2), seconds_text(3600)
    ('3m15s', '1m', '0s', '1h')
    """
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
