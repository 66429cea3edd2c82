import { firstFailure } from '../core/schema/certificate.ts';
import { certificatePageFile, readCertificate } from '../train/certificate/certificate-file.ts';
import type { RunFolder } from '../train/run-folder.ts';

/** What a run's certificate says, in one line, with the place of its page. */
export async function certificateLine(folder: Pick<RunFolder, 'root'>): Promise<string> {
  const certificate = await readCertificate(folder);
  if (certificate === undefined) return 'none';
  const failure = firstFailure(certificate);
  const notRun = certificate.checks.filter(({ status }) => status === 'notRun').length;
  const verdict =
    failure === undefined
      ? `passed ${certificate.checks.length - notRun} checks${notRun > 0 ? `, ${notRun} could not be made` : ''}`
      : `FAILED at ${failure.id}: ${failure.detail}`;
  return `${verdict} (${certificatePageFile(folder)})`;
}
