"""What scipy, statsmodels and plain matrix algebra say of paired outcomes: JSON on standard input, JSON on standard output."""

import json
import sys

import numpy as np
import scipy.stats as st
import statsmodels.api as sm
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

given = json.load(sys.stdin)
right = {name: np.array(row, dtype=float) for name, row in given["right"].items()}
groups = np.array(given["groups"])
n = len(groups)

# CR2 and its degrees of freedom from their definition, with whole matrices (Bell and McCaffrey 2002; Imbens and Kolesar 2016).
same = groups[:, None] == groups[None, :]
residual_maker = np.eye(n) - np.ones((n, n)) / n
columns, adjusted = [], []
for group in np.unique(groups):
    members = np.where(groups == group)[0]
    values, vectors = np.linalg.eigh(residual_maker[np.ix_(members, members)])
    adjustment = vectors @ np.diag(values**-0.5) @ vectors.T @ np.ones(len(members)) / n
    columns.append(residual_maker[:, members] @ adjustment)
    adjusted.append((members, adjustment))
g = np.array(columns).T
same = same.astype(float)
independent, shared = g.T @ g, g.T @ same @ g


def small_sample(d):
    """Mean of d with the interval of CR2."""
    e = d - d.mean()
    # Mean over ordered pairs of items of one cluster, without an item and itself.
    rho = min(1.0, max(0.0, (e @ same @ e - e @ e) / (same.sum() - n) / (e @ e / (n - 1))))
    b = (1 - rho) * independent + rho * shared
    df = np.trace(b) ** 2 / np.trace(b @ b)
    se = np.sqrt(sum((adjustment @ e[members]) ** 2 for members, adjustment in adjusted))
    reach = st.t.ppf(0.975, df) * se
    return {"se": se, "df": df, "low": d.mean() - reach, "high": d.mean() + reach, "p": 2 * st.t.sf(abs(d.mean() / se), df)}


def mid_p(lost, gained):
    """By direct summation of the definition: more extreme tables whole, those like the observed one by half."""
    k, total = min(lost, gained), lost + gained
    pmf = st.binom.pmf(np.arange(total + 1), total, 0.5)
    far = np.abs(np.arange(total + 1) - total / 2)
    seen = abs(k - total / 2)
    return pmf[far > seen + 1e-9].sum() + pmf[np.abs(far - seen) <= 1e-9].sum() / 2


def compare(base, tuned):
    """All that is compared of one pair of models."""
    b, t = right[base], right[tuned]
    d = t - b
    lost, gained = int(((b == 1) & (t == 0)).sum()), int(((b == 0) & (t == 1)).sum())
    plain = st.ttest_rel(t, b)
    interval, narrow = plain.confidence_interval(0.95), plain.confidence_interval(0.9)
    options = {"groups": groups, "use_correction": True, "df_correction": True}
    fit = sm.OLS(d, np.ones_like(d)).fit(cov_type="cluster", cov_kwds=options, use_t=True)
    low, high = fit.conf_int(0.05)[0]
    both = np.array([[((b == i) & (t == j)).sum() for j in (0, 1)] for i in (0, 1)])
    kappa = cohens_kappa(both)
    return {
        "base": base,
        "tuned": tuned,
        "paired": {"mean": d.mean(), "low": interval.low, "high": interval.high, "p": plain.pvalue},
        "paired90": {"low": narrow.low, "high": narrow.high},
        "counts": {"lost": lost, "gained": gained},
        "mcnemar": {"p": mcnemar([[0, lost], [gained, 0]], exact=True).pvalue, "midP": mid_p(lost, gained)},
        "clustered": {"se": fit.bse[0], "low": low, "high": high, "p": fit.pvalues[0]},
        "smallSample": small_sample(d),
        "kappa": {"kappa": kappa.kappa, "low": kappa.kappa_low, "high": kappa.kappa_upp},
    }


def exceeded(ends, correlation):
    """Probability that any of the scores lies outside its ends."""
    ends = np.array(ends)
    inside = st.multivariate_normal.cdf(ends, cov=correlation[: len(ends), : len(ends)], lower_limit=-ends, abseps=1e-9, releps=1e-9)
    return 1 - inside


def sequential_bounds(fractions, alpha=0.05):
    """Two-sided bounds by alpha spending like O'Brien and Fleming, solved one after the other."""
    correlation = np.array([[np.sqrt(min(a, b) / max(a, b)) for b in fractions] for a in fractions])
    bounds = []
    for fraction in fractions:
        spent = 4 * st.norm.sf(st.norm.ppf(1 - alpha / 4) / np.sqrt(fraction))
        bounds.append(brentq(lambda bound, spent=spent: exceeded([*bounds, bound], correlation) - spent, 1.5, 9, xtol=1e-9))
    return bounds


names = list(right)
pairs = [compare(base, tuned) for i, base in enumerate(names) for tuned in names[i + 1 :]]
wilson = {name: proportion_confint(row.sum(), n, 0.05, "wilson") for name, row in right.items()}
holm = multipletests([pair["paired"]["p"] for pair in pairs], method="holm")[1].tolist()
json.dump({"pairs": pairs, "wilson": wilson, "holm": holm, "sequential": sequential_bounds(given["fractions"])}, sys.stdout)
