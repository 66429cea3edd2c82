import type { CertificateCheck, checkKinds } from '../../core/schema/certificate.ts';

export type CheckKind = (typeof checkKinds)[number];

const titles: Record<CheckKind, string> = {
  files: 'Every file is as it was made',
  'base-files': 'The base is the one that the training began with',
  adapter: 'The adapter has learnt something, in every module it targets',
  base: 'What no adapter touches is the base’s',
  merge: 'Merged weights are base + scale · B · A',
  update: 'The file holds the adapter’s update',
  weights: 'The file’s tensors are those of the merged model',
  template: 'The file’s template renders what was trained',
  tokens: 'The file’s tokenizer gives the ids that were trained',
  bos: 'A prompt begins with exactly one BOS, in every runtime',
  eos: 'The trained EOS ends a generation',
  divergence: 'Next-token distributions are the reference’s',
  greedy: 'Greedy answers are the reference’s',
  arms: 'Merged file and base with adapter agree',
};

/** A finding on its way to a certificate: problems make it fail, a reason makes it not run. */
export interface Finding {
  readonly problems?: readonly string[];
  /** What was found where nothing is wrong. */
  readonly found?: string;
  readonly notRun?: string | undefined;
  readonly figures?: Readonly<Record<string, number>>;
  readonly limits?: Readonly<Record<string, number>>;
}

/** A line of the certificate. */
export function checkOf(kind: CheckKind, subject: string, finding: Finding): CertificateCheck {
  const { problems = [], found = '', notRun, figures = {}, limits = {} } = finding;
  const base = { id: `${kind}/${subject}`, kind, subject, title: titles[kind], figures: finite(figures), limits: finite(limits) };
  if (notRun !== undefined) return { ...base, status: 'notRun', detail: notRun };
  return problems.length > 0 ? { ...base, status: 'failed', detail: problems.join(' ') } : { ...base, status: 'passed', detail: found };
}

/** `a, b, c and 5 more`. */
export function someOf(names: readonly string[], shown = 3): string {
  const more = names.length - shown;
  return `${names.slice(0, shown).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** JSON knows no infinity. */
function finite(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number.isFinite(value) ? value : Number.MAX_VALUE]));
}
