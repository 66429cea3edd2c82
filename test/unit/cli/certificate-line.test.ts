import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { certificateLine } from '../../../src/cli/certificate-line.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { certificateOf } from '../train/certificate/certificate-fixture.ts';

describe('certificateLine', () => {
  const lineOf = async (...what: Parameters<typeof certificateOf>): Promise<string> => {
    const root = temporaryFolder();
    writeFileSync(path.join(root, 'certificate.json'), JSON.stringify(certificateOf(...what)));
    return (await certificateLine({ root })).replace(root, '');
  };

  it('counts the checks that passed, and names the first that failed', async () => {
    expect(await lineOf([])).toBe('passed 1 checks (/certificate.md)');
    expect(await lineOf([], { problems: ['It holds 0 %.'] })).toBe('FAILED at update/q8_0: It holds 0 %. (/certificate.md)');
  });

  it('says that there is no certificate, also where its file is damaged', async () => {
    const root = path.join(temporaryFolder(), 'run');
    mkdirSync(root);
    expect(await certificateLine({ root })).toBe('none');
    writeFileSync(path.join(root, 'certificate.json'), '{');
    expect(await certificateLine({ root })).toBe('none');
  });
});
