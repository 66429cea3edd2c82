import { describe, expect, it } from 'vitest';
import { readTrainJob, remoteJob } from '../../../../src/train/launchers/remote-job.ts';
import { preparedRun } from '../../../integration/support/prepared-run.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

describe('remoteJob', () => {
  it('moves every path of the run’s folder, and names the files that have to go along', async () => {
    const folder = await preparedRun({ home: temporaryFolder(), id: 'run-1' });
    const job = await readTrainJob(folder);
    const { job: moved, files } = remoteJob(job, folder, '/there/runs/run-1', '/there/models/abc', 32);
    expect(moved).toEqual({
      ...job,
      basePath: '/there/models/abc',
      trainFile: '/there/runs/run-1/train.jsonl',
      templateFile: '/there/runs/run-1/template.jinja',
      outputDir: '/there/runs/run-1',
      threads: 32,
    });
    expect(files).toEqual(['train.jsonl', 'template.jinja']);
  });

  it('takes a held-out file along, and leaves paths elsewhere as they are', async () => {
    const folder = await preparedRun({ home: temporaryFolder(), id: 'run-1' });
    const job = { ...(await readTrainJob(folder)), heldOutFile: folder.heldOutRows, templateFile: `${folder.root}-else/template.jinja` };
    const { job: moved, files } = remoteJob(job, folder, '/there', 'owner/name', 1);
    expect(moved.heldOutFile).toBe('/there/heldout.jsonl');
    expect(moved.templateFile).toBe(job.templateFile);
    expect(moved.basePath).toBe('owner/name');
    expect(files).toEqual(['train.jsonl', 'heldout.jsonl']);
  });
});
