import path from 'node:path';
import { OSLER_ERR_CERTIFICATE_BROKEN } from '../../core/errors.ts';
import { readCertificate } from './certificate-file.ts';

/**
 * Whether a file that is about to be loaded is the one that was certified, where a certificate beside it names it.
 *
 * @param sha256 of the file as it is
 * @throws OSLER_ERR_CERTIFICATE_BROKEN
 */
export async function checkCertifiedFile(file: string, sha256: string): Promise<void> {
  const certificate = await readCertificate({ root: path.dirname(file) });
  const certified = certificate?.subject.files.find(({ path: name }) => name === path.basename(file));
  if (certificate === undefined || certified === undefined || certified.sha256 === sha256) return;
  const difference = `its sha256 is ${sha256.slice(0, 12)}… and was ${certified.sha256.slice(0, 12)}…`;
  throw new OSLER_ERR_CERTIFICATE_BROKEN(file, difference, certificate.runId);
}
