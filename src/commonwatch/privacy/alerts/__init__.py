"""Early warning under privacy: the alert table, its statistic, and AboveThreshold. Pure; `detect` reads what they give.

`table` is a small release of its own over rare families (`privacy.md` 7.1): a `release.slices.Series` grows by a day;
`watching` turns such series into alerts; `above` is the alternative for hours instead of days (7.3).
"""
