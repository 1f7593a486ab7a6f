"""Releases that can be explored without limit: bounded counts, noisy tables, one cube with exact variances; pure.

The way of a private release (`privacy.md` 1-5): `bounds` caps what one organisation counts for; `tables` counts it into
a few integer marginal tables; `noise` (OpenDP, nothing else) makes them noisy at the rates of a `plan`, whose shares
come from `split`; `slices` does so day by day; `cube` solves them into one unbiased cube that knows the exact variance
of every box; `tiers` gives a lower tier by adding noise. `thresholded` is the exact sister: small groups stay out.
"""
