"""Bounds and alarms of EARS and Farrington flexible equal those of R's `surveillance`, where that is installed.

R and the package run beside ours as a program; nothing of them is in the project. Debian has both: `r-base-core` and
`r-cran-surveillance`.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from commonwatch.detect.outbreak import ears, farrington

pytestmark = pytest.mark.slow
SCRIPT = """
suppressMessages(library(surveillance))
args <- commandArgs(TRUE)
x <- as.integer(read.csv(args[1], header=FALSE)[,1])
weekly <- sts(observed=matrix(x, ncol=1), frequency=52, start=c(2010,1))
r <- 200:length(x)
f <- farringtonFlexible(weekly, list(range=r, b=3, w=3, reweight=TRUE, weightsThreshold=2.58, alpha=.01, trend=TRUE,
  pThresholdTrend=1, limit54=c(5,4), noPeriods=10, pastWeeksNotIncluded=26, thresholdMethod="nbPlugin",
  fitFun="algo.farrington.fitGLM.flexible", populationOffset=FALSE))
daily <- sts(observed=matrix(x, ncol=1), frequency=365, start=c(2010,1))
c1 <- earsC(daily, control=list(range=r, method="C1", alpha=.001))
c2 <- earsC(daily, control=list(range=r, method="C2", alpha=.001))
write.csv(data.frame(week=r, bound=as.numeric(upperbound(f)), alarm=as.integer(alarms(f)),
  c1=as.numeric(upperbound(c1)), c2=as.numeric(upperbound(c2))), args[2], row.names=FALSE)
"""
WEEKS = np.arange(260)
SERIES = {
    "flat": lambda rng: rng.poisson(5, 260),
    "growing": lambda rng: rng.negative_binomial(3, 3 / (3 + 3 * np.exp(0.004 * WEEKS))),
    "seasonal": lambda rng: rng.poisson(6 * (1 + 0.5 * np.sin(2 * np.pi * WEEKS / 52))) + 50 * (WEEKS == 230),
    "sparse": lambda rng: rng.negative_binomial(3, 3 / 3.3, 260),
    "shrinking": lambda rng: rng.poisson(30 * np.exp(-0.01 * WEEKS)),
}


def asked_of_r(counts: np.ndarray, folder: Path) -> list[dict[str, str]]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no Rscript: apt-get install r-base-core r-cran-surveillance")
    (folder / "x.csv").write_text("\n".join(map(str, counts)))
    (folder / "oracle.R").write_text(SCRIPT)
    done = subprocess.run(
        [rscript, folder / "oracle.R", folder / "x.csv", folder / "y.csv"], capture_output=True, text=True, check=False
    )
    if "there is no package" in done.stderr:
        pytest.skip("R without the package surveillance: apt-get install r-cran-surveillance")
    assert done.returncode == 0, done.stderr
    with (folder / "y.csv").open() as answers:
        return list(csv.DictReader(answers))


@pytest.mark.parametrize("kind", SERIES)
def test_bounds_and_alarms_equal_r(kind: str, tmp_path: Path):
    counts = SERIES[kind](np.random.default_rng(5))
    first, second = ears.bound(ears.c1(counts.astype(float))), ears.bound(ears.c2(counts.astype(float)))
    for row in asked_of_r(counts, tmp_path):
        week = int(row["week"]) - 1
        ours = farrington.judge(counts, week)
        assert ours.alarm == bool(int(row["alarm"]))
        if ours.bound is None:
            assert row["bound"] in {"NA", "0", "NaN"}
        else:
            assert ours.bound == pytest.approx(float(row["bound"]), abs=1e-9)
        assert first[week] == pytest.approx(float(row["c1"]), abs=1e-9)
        assert second[week] == pytest.approx(float(row["c2"]), abs=1e-9)
