import { describe, expect, it } from 'vitest';
import { renderCheck } from '../../../src/cli/render-check.ts';
import type { TrainingCheck } from '../../../src/core/schema/training-check.ts';
import { hostReport } from '../../support/host-report.ts';

const data: TrainingCheck['data'] = {
  ref: 'owner/rows',
  revision: null,
  licence: 'apache-2.0',
  sourceRows: 650,
  trainRows: 500,
  heldOutRows: 98,
  duplicates: 0,
  heldOutTrained: 2,
  contamination: { items: 60, hard: 0, soft: 1 },
};

describe('renderCheck', () => {
  it('shows each finding with its setting, then the figures, then whether it can start', () => {
    const check: TrainingCheck = {
      schemaVersion: 1,
      findings: [
        {
          level: 'error',
          code: 'columnsMissing',
          message: 'No column "Question".',
          setting: 'data.columns.question',
          value: 'the question',
        },
        {
          level: 'warning',
          code: 'rowsTruncated',
          message: '2 rows are cut.\nThey end early.',
          setting: 'base.maxLengthTokens',
          value: 900,
        },
        { level: 'note', code: 'sourceNote', message: 'Converted.', setting: null, value: null },
      ],
      data,
      host: hostReport(),
    };
    expect(renderCheck(check)).toMatchInlineSnapshot(`
      "FAIL  columnsMissing      No column "Question".
                                mend it: --set data.columns.question='the question'
      warn  rowsTruncated       2 rows are cut.
                                They end early.
                                mend it: --set base.maxLengthTokens=900
      ·     sourceNote          Converted.

      Rows      500 to train on, 98 held out, of 650 (owner/rows, licence apache-2.0)
      Overlap   60 evaluation items looked for: 0 asked by training rows, 1 close
      Device    cpu, backend peft
      Lengths   20 tokens in the median, p95 30, longest 40; 0 of 3 rows cut
      Memory    2.0 GB needed of 6.0 GB free (weights 500.0 MB)
      Disk      300.0 MB needed of 10.0 GB free (merged 300.0 MB)

      This training cannot start: 1 to mend, 1 to look at.
      "
    `);
  });

  it('says of a training without findings that it can start', () => {
    const text = renderCheck({ schemaVersion: 1, findings: [], data: null, host: null });
    expect(text).toBe('This training can start.\n');
  });
});
