/** A reply must not be as long as what it is about. */
const shownChars = 120;
const shownIssues = 8;

/** What a schema finds wrong. */
interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The first few of the problems with a request; `whole` is the name of what has them all. */
export function describeIssues(issues: readonly Issue[], whole: string): string {
  const lines = issues.slice(0, shownIssues).map((issue) => `${issue.path.join('.') || whole}: ${issue.message}`.slice(0, shownChars));
  if (issues.length > shownIssues) lines.push(`and ${issues.length - shownIssues} more`);
  return `${issues.length} problem(s): ${lines.join('; ')}`;
}

/** The field that a problem is with; null: the whole. */
export function fieldOf(issue: Issue | undefined): string | null {
  return issue?.path.join('.').slice(0, shownChars) || null;
}
