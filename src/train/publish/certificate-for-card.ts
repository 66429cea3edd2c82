import type { Certificate } from '../../core/schema/certificate.ts';

/** Whether every check was run and passed: a certificate passes where none failed, also if some could not be run. */
export function isFullyCertified({ passed, checks }: Certificate): boolean {
  return passed && checks.every((check) => check.status === 'passed');
}

/** Of files of weights, those that a certificate does not name by their sha256. */
export function uncertifiedOf(
  certificate: Certificate | undefined,
  files: readonly { readonly path: string; readonly sha256: string | null }[],
): string[] {
  if (certificate === undefined) return [];
  const certified = new Set(certificate.subject.files.map((file) => file.sha256));
  const weights = files.filter((file) => /\.(?:safetensors|gguf)$/.test(file.path));
  return weights.filter((file) => file.sha256 === null || !certified.has(file.sha256)).map((file) => file.path);
}
