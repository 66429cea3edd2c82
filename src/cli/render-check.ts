import type { CheckFinding, TrainingCheck } from '../core/schema/training-check.ts';
import { formatBytes } from './format-bytes.ts';

const titles: Record<CheckFinding['level'], string> = { error: 'FAIL', warning: 'warn', note: '·   ' };
const codeWidth = 18;
const indent = ' '.repeat(codeWidth + 8);

/** A check as lines for people: what was found, with the setting that mends it, then the figures. */
export function renderCheck(check: TrainingCheck): string {
  const parts = [check.findings.map(renderFinding), figures(check), [verdictOf(check.findings)]];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

/** One finding: level, what it is about, message; below it the setting. */
export function renderFinding({ level, code, message, setting, value }: CheckFinding): string {
  const text = message.replaceAll('\n', `\n${indent}`);
  const line = `${titles[level]}  ${code.padEnd(codeWidth)}  ${text}`;
  return setting === null ? line : `${line}\n${indent}mend it: --set ${setting}=${value === null ? '…' : quoted(String(value))}`;
}

function figures({ data, host }: TrainingCheck): string[] {
  const lines: string[] = [];
  if (data !== null) {
    const licence = data.licence === null ? '' : `, licence ${data.licence}`;
    lines.push(`Rows      ${data.trainRows} to train on, ${data.heldOutRows} held out, of ${data.sourceRows} (${data.ref}${licence})`);
    const { contamination } = data;
    if (contamination !== null)
      lines.push(
        `Overlap   ${contamination.items} evaluation items looked for: ${contamination.hard} asked by training rows, ${contamination.soft} close`,
      );
  }
  if (host === null) return lines;
  lines.push(`Device    ${host.device.name}${host.backend === null ? '' : `, backend ${host.backend}`}`);
  if (host.rows !== null) {
    const { median, p95, max } = host.rows.lengthTokens;
    lines.push(
      `Lengths   ${median} tokens in the median, p95 ${p95}, longest ${max}; ${host.rows.truncated} of ${host.rows.count} rows cut`,
    );
  }
  if (host.memory !== null) {
    const { neededBytes, freeBytes, terms } = host.memory;
    const parts = terms.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(', ');
    lines.push(
      `Memory    ${formatBytes(neededBytes)} needed of ${freeBytes === null ? 'an unknown amount' : formatBytes(freeBytes)} free (${parts})`,
    );
  }
  if (host.disk !== null) {
    const parts = host.disk.stages.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(', ');
    lines.push(`Disk      ${formatBytes(host.disk.neededBytes)} needed of ${formatBytes(host.disk.freeBytes)} free (${parts})`);
  }
  return lines;
}

function verdictOf(findings: readonly CheckFinding[]): string {
  const of = (level: CheckFinding['level']): number => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings] = [of('error'), of('warning')];
  if (errors > 0) return `This training cannot start: ${errors} to mend, ${warnings} to look at.`;
  return warnings > 0 ? `This training can start; ${warnings} to look at.` : 'This training can start.';
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w./:@~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
