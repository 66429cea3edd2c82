/** Residuals of one mean, summed by cluster; the three arrays have one entry a cluster. */
export interface ClusterResiduals {
  /** Items in the cluster, at least 1. */
  readonly sizes: ArrayLike<number>;
  /** Σ(d − mean) over its items. */
  readonly sums: ArrayLike<number>;
  /** Σ(d − mean)² over its items. */
  readonly squares: ArrayLike<number>;
}

/**
 * Which cluster-robust variance. `small-sample` decides. `plain` is the textbook one, statsmodels' `cov_type="cluster"`:
 * G/(G−1)·Σ_g S_g²/n² with G − 1 degrees of freedom. Clusters of equal size give the same with both.
 */
export type ClusterCorrection = 'small-sample' | 'plain';

/** Standard error of a mean over items, with the degrees of freedom of its t interval. */
export interface ClusterVariance {
  readonly standardError: number;
  readonly df: number;
}

/**
 * Cluster-robust standard error of a mean. Needs at least two clusters.
 *
 * `small-sample` is CR2 (Bell and McCaffrey 2002), which for a mean is Σ_g S_g²/(1 − n_g/n) / n², with Satterthwaite degrees
 * of freedom under equally correlated items in a cluster (Imbens and Kolesár 2016). See docs/decisions/0016.
 */
export function clusterVariance(residuals: ClusterResiduals, correction: ClusterCorrection = 'small-sample'): ClusterVariance {
  const { sizes, sums } = residuals;
  const clusterCount = sizes.length;
  const smallest = sizes[0] ?? 0;
  let itemCount = 0;
  let isEqual = true;
  for (let cluster = 0; cluster < clusterCount; cluster += 1) {
    itemCount += sizes[cluster] ?? 0;
    isEqual &&= sizes[cluster] === smallest;
  }
  const isPlain = isEqual || correction === 'plain';
  let sum = 0;
  for (let cluster = 0; cluster < clusterCount; cluster += 1) {
    sum += (sums[cluster] ?? 0) ** 2 / (isPlain ? 1 : 1 - (sizes[cluster] ?? 0) / itemCount);
  }
  if (isPlain) sum *= clusterCount / (clusterCount - 1);
  const df = isPlain ? clusterCount - 1 : satterthwaiteDf(sizes, itemCount, intraclassCorrelation(residuals, itemCount));
  return { standardError: Math.sqrt(sum) / itemCount, df };
}

/**
 * Mean product of the residuals of two items of one cluster, over the residual variance; held in [0, 1].
 * 0 where no cluster has two items or nothing varies.
 */
export function intraclassCorrelation({ sizes, sums, squares }: ClusterResiduals, itemCount: number): number {
  let products = 0;
  let pairs = 0;
  let total = 0;
  for (let cluster = 0; cluster < sizes.length; cluster += 1) {
    const size = sizes[cluster] ?? 0;
    products += (sums[cluster] ?? 0) ** 2 - (squares[cluster] ?? 0);
    pairs += size * (size - 1);
    total += squares[cluster] ?? 0;
  }
  if (pairs === 0 || total === 0) return 0;
  return Math.min(1, Math.max(0, products / pairs / (total / (itemCount - 1))));
}

/**
 * (tr B)²/tr(B²), B the covariance of the S_g/√(1 − n_g/n) where var(S_g + n_g·mean) = v_g = n_g(1 + (n_g − 1)ρ):
 * B_gh = a_g·a_h·(v_g·[g = h] − v_g·p_h − p_g·v_h + p_g·p_h·V), with p = n_g/n, a² = 1/(1 − p), V = Σv. Sums of products
 * of the vectors v and p stand for the matrix, so that thousands of clusters cost nothing.
 */
function satterthwaiteDf(sizes: ArrayLike<number>, itemCount: number, correlation: number): number {
  let totalV = 0;
  let vv = 0;
  let pp = 0;
  let vp = 0;
  for (let cluster = 0; cluster < sizes.length; cluster += 1) {
    const size = sizes[cluster] ?? 0;
    const v = size * (1 + (size - 1) * correlation);
    const p = size / itemCount;
    totalV += v;
    vv += (v * v) / (1 - p);
    pp += (p * p) / (1 - p);
    vp += (v * p) / (1 - p);
  }
  let trace = 0;
  let diagonal = 0;
  for (let cluster = 0; cluster < sizes.length; cluster += 1) {
    const size = sizes[cluster] ?? 0;
    const v = size * (1 + (size - 1) * correlation);
    const p = size / itemCount;
    const own = v / (1 - p);
    const shared = (p * p * totalV - 2 * v * p) / (1 - p);
    trace += own + shared;
    diagonal += own * own + 2 * own * shared;
  }
  const crossed = 2 * vv * pp + 2 * vp * vp + totalV ** 2 * pp ** 2 - 4 * totalV * vp * pp;
  return trace ** 2 / (diagonal + crossed);
}
