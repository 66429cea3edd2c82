import type { Certificate, CertificateCheck } from '../../core/schema/certificate.ts';

const marks: Record<CertificateCheck['status'], string> = { passed: 'passed', failed: '**FAILED**', notRun: 'not run' };

/** certificate.md: the certificate for people. Shows what is in it and computes nothing. */
export function certificatePage(certificate: Certificate): string {
  const { subject, method, checks } = certificate;
  const failed = checks.filter(({ status }) => status === 'failed');
  const verdict = certificate.passed
    ? 'Every check passed: what was exported is what was trained.'
    : `${failed.length} check${failed.length === 1 ? '' : 's'} failed, the first is \`${failed[0]?.id ?? ''}\`: ${failed[0]?.detail ?? ''}`;
  const lines = checks.map(({ id, title, status, detail }) => `| \`${id}\` | ${cell(title)} | ${marks[status]} | ${cell(detail)} |`);
  const figures = checks.flatMap(({ id, figures, limits }) => [
    ...Object.entries(figures).map(
      ([name, value]) => `| \`${id}\` | ${name} | ${number(value)} | ${limits[name] === undefined ? '' : number(limits[name])} |`,
    ),
    ...Object.entries(limits)
      .filter(([name]) => !(name in figures))
      .map(([name, value]) => `| \`${id}\` | ${name} | | ${number(value)} |`),
  ]);
  const ggufs = subject.ggufs.map(({ type, path, sha256 }) => `| ${type} | \`${path}\` | \`${sha256}\` |`);
  return `${[
    `# Export certificate of ${certificate.runId}`,
    '',
    verdict,
    '',
    `Made ${certificate.createdAt}. Base: \`${subject.base.ref}\`${subject.base.revision === null ? '' : ` at ${subject.base.revision}`}. Adapter: \`${subject.adapterSha256 ?? 'none'}\`.`,
    '',
    '| type | file | sha256 |',
    '|---|---|---|',
    ...ggufs,
    '',
    '| check | what it says | result | found |',
    '|---|---|---|---|',
    ...lines,
    '',
    '## How it was measured',
    '',
    `The reference is the 16-bit base with the adapter merged, computed in Python (${method.reference}); the files were read by the engine that serves them (${method.engine}). ${method.texts} ${method.isHeldOut ? 'held-out' : 'training'} rows at ${method.places} places, ${method.prompts} prompts answered greedily. Distributions are compared over the likeliest tokens and one part for all others, which have at most ${method.maxRest} at each place. The base needs ${number(method.baseNll)} nats a token of these texts and the merged model ${number(method.mergedNll)}; the training moved the model by a KL of ${number(method.tuningKl)}${method.inMemoryKl === null ? '' : `, and merging onto the 16-bit base moved it by ${number(method.inMemoryKl)} from the model in memory`}.${method.hasRandomWeights ? ' The base has random weights: token agreement is told and not judged.' : ''}`,
    '',
    '| check | figure | value | limit |',
    '|---|---|---|---|',
    ...figures,
  ].join('\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
