"""Patterns: Sigma rules and ordered stages, run where the events are. They travel, data stays (`detection.md` 11).

After Herwono and El-Moussa (ICISSP 2017, 2018): attack scenarios are shared, each organisation binds them to its own
sources. Reading rules needs the extra `commonwatch[patterns]` (pySigma), which is imported only when a rule is read.
"""
