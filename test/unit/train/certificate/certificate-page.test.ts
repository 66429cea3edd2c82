import { expect, it } from 'vitest';
import { certificatePage } from '../../../../src/train/certificate/certificate-page.ts';
import { certificateOf } from './certificate-fixture.ts';

const file = { path: 'merged-q8_0.gguf', bytes: 7, sha256: '0'.repeat(64) };

it('says the verdict first, and how it was measured', () => {
  const page = certificatePage(certificateOf([file]));
  expect(page.split('\n').slice(0, 3)).toEqual([
    '# Export certificate of run-1',
    '',
    'Every check passed: what was exported is what was trained.',
  ]);
  expect(page).toContain('6 held-out rows at 192 places, 8 prompts');
});

it('names the line that failed, its figures and its limits', () => {
  const page = certificatePage(
    certificateOf([file], { problems: ['0 % of a|b.'], figures: { updateShare: 0 }, limits: { updateShareLeast: 0.9 } }),
  );
  expect(page).toContain('1 check failed, the first is `update/q8_0`: 0 % of a|b.');
  expect(page).toContain(String.raw`| **FAILED** | 0 % of a\|b. |`);
  expect(page).toContain('| `update/q8_0` | updateShareLeast | | 0.9000 |');
});
