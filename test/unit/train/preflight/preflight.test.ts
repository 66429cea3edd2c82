import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OSLER_ERR_PYTHON_MISSING } from '../../../../src/core/errors.ts';
import type { Preflight } from '../../../../src/core/schema/preflight.ts';
import { TrainJob } from '../../../../src/core/schema/train-job.ts';
import { TrainingRow } from '../../../../src/core/schema/training-row.ts';
import type { CheckFinding, TrainingCheck } from '../../../../src/core/schema/training-check.ts';
import type { HostReply } from '../../../../src/train/preflight/ask-trainer.ts';
import type { HostQuestion } from '../../../../src/train/launchers/launcher.ts';
import { blockingFindings, type HostToAsk } from '../../../../src/train/preflight/preflight.ts';
import { startHubServer } from '../../../support/hub-server.ts';
import { testConfig } from '../../../support/test-home.ts';
import { errorOf } from '../../../support/error-of.ts';
import { hostReport } from '../../../support/host-report.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { checked, recipeOn, rowOf, rowsOf } from './preflight-fixture.ts';

const short = ({ findings }: TrainingCheck): string[] => findings.map(({ level, code }) => `${level} ${code}`);
const of = (check: TrainingCheck, code: CheckFinding['code']): CheckFinding => {
  const found = check.findings.filter((finding) => finding.code === code);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} findings of ${code}: ${JSON.stringify(check.findings)}`);
  return found[0];
};

/** The trainer’s answer, with a report in which all is well but for these changes. */
const answered = (changes: Partial<Preflight> = {}): HostReply => ({ kind: 'report', report: hostReport(changes) });

/** A folder that says it is a model. */
async function baseFolder(): Promise<string> {
  const folder = path.join(temporaryFolder(), 'base');
  await mkdir(folder);
  await writeFile(path.join(folder, 'config.json'), '{}');
  return folder;
}

describe('a check of the rows', () => {
  it('finds nothing in good rows, and counts them', async () => {
    const check = await checked(await recipeOn(rowsOf(10), { 'data.heldOutRows': 2 }));
    expect(check.findings).toEqual([]);
    expect(check.data).toMatchObject({ sourceRows: 10, trainRows: 8, heldOutRows: 2, duplicates: 0, contamination: null });
    expect(check.host).toBe(null);
  });

  it('proposes the column that is meant', async () => {
    const check = await checked(await recipeOn([{ instruction: 'q', reasoning: 't', Response: 'a' }]));
    expect(check.findings).toMatchObject([
      { level: 'error', code: 'columnsMissing', setting: 'data.columns.question', value: 'instruction' },
      { level: 'error', code: 'columnsMissing', setting: 'data.columns.thought', value: 'reasoning' },
    ]);
  });

  it('names every bad row that is asked for, and counts those that are not', async () => {
    const rows = [rowOf(0), { Question: 'q' }, '{oops', { ...rowOf(3), Response: ' ' }, rowOf(4), { ...rowOf(5), Response: 5 }];
    const all = await checked(await recipeOn(rows));
    expect(of(all, 'rowsInvalid').message).toContain('4 rows of 5 cannot be used:');
    for (const place of [
      'line 2: Complex_CoT',
      'line 3: not valid JSON',
      'line 4: Response: must not be blank',
      'line 6: Response: must be text',
    ])
      expect(of(all, 'rowsInvalid').message).toContain(place);
    const some = await checked(await recipeOn([rowOf(0), rowOf(1), { Question: 'q' }], { 'data.limit': 2 }));
    expect(short(some)).toEqual(['note rowsInvalidUnused']);
    expect(some.findings[0]?.message).toContain('1 row that the recipe does not ask for');
  });

  it('tells of a slice beyond the end, with the limit that there is', async () => {
    expect(of(await checked(await recipeOn(rowsOf(198), { 'data.limit': 500 })), 'sliceBeyondEnd')).toMatchObject({
      level: 'warning',
      message: 'The recipe asks for train[0:500] and there are 198 rows: 198 rows are trained on.',
      setting: 'data.limit',
      value: 198,
    });
    const bySplit = await checked(await recipeOn(rowsOf(9), { 'data.split': 'train[4:20]' }));
    expect(of(bySplit, 'sliceBeyondEnd')).toMatchObject({ setting: 'data.split', value: 'train[4:]' });
    expect(short(await checked(await recipeOn(rowsOf(9), { 'data.split': 'train[:50%]' })))).toEqual([]);
  });

  it('refuses a slice that leaves nothing, with the counts', async () => {
    const beyond = of(await checked(await recipeOn(rowsOf(10), { 'data.offset': 10 })), 'rowsEmpty');
    expect([beyond.level, beyond.setting, beyond.message]).toEqual([
      'error',
      'data.offset',
      'No row is left to train on: there are 10, the recipe asks for train[10:] and keeps 0 out.',
    ]);
    expect(of(await checked(await recipeOn(rowsOf(10), { 'data.heldOutRows': 50 })), 'rowsEmpty')).toMatchObject({
      setting: 'data.heldOutRows',
      value: 1,
    });
    expect(of(await checked(await recipeOn([])), 'rowsEmpty').message).toBe('"rows.jsonl" holds no rows.');
  });

  it('tells that fewer rows are held out than asked for, and what would leave room', async () => {
    const check = await checked(await recipeOn(rowsOf(12), { 'data.limit': 10, 'data.heldOutRows': 5 }));
    expect(of(check, 'heldOutShort')).toMatchObject({
      level: 'warning',
      message: '2 of the 5 held-out rows are there behind train[0:10].',
      setting: 'data.limit',
      value: 7,
    });
    const { data } = await checked(await recipeOn(rowsOf(12), { 'data.limit': 7, 'data.heldOutRows': 5 }));
    expect([data?.trainRows, data?.heldOutRows]).toEqual([7, 5]);
  });

  it('tells that held-out loss is asked for without held-out rows', async () => {
    const check = await checked(await recipeOn(rowsOf(30), { 'trainer.evalSteps': 5 }));
    expect(of(check, 'heldOutShort')).toMatchObject({ level: 'error', setting: 'data.heldOutRows', value: 3 });
    const behind = await checked(await recipeOn(rowsOf(30), { 'data.limit': 30, 'data.heldOutRows': 5, 'trainer.evalSteps': 5 }));
    expect(of(behind, 'heldOutShort')).toMatchObject({
      level: 'error',
      message: '0 of the 5 held-out rows are there behind train[0:30], and trainer.evalSteps needs some.',
      setting: 'data.limit',
      value: 25,
    });
  });

  it('tells of repeated questions whether they are left out or not', async () => {
    const rows = [rowOf(0), rowOf(1), { ...rowOf(2), Question: 'Q0?' }, rowOf(1)];
    const kept = of(await checked(await recipeOn(rows, { 'data.deduplicate': false })), 'duplicates');
    expect(kept).toMatchObject({ level: 'warning', setting: 'data.deduplicate', value: true });
    expect(kept.message).toBe(
      '2 rows of 4 ask what an earlier row asks, 1 of them with the same thought and answer (line 3 as line 1, line 4 as line 2). They are trained on.',
    );
    const left = await checked(await recipeOn(rows, { 'data.deduplicate': true }));
    expect(of(left, 'duplicates')).toMatchObject({ level: 'note', setting: null });
    expect(left.data).toMatchObject({ trainRows: 2, duplicates: 2 });
  });

  it('tells of rows that are not held out, because they are trained on', async () => {
    const rows = [...rowsOf(8), { ...rowOf(9), Question: 'q3 ' }, rowOf(10)];
    const check = await checked(await recipeOn(rows, { 'data.limit': 8, 'data.heldOutRows': 2 }));
    expect(of(check, 'heldOutTrained').message).toContain(
      '1 row of 2 will not be held out, because a trained row asks the same (line 9 as line 4)',
    );
    expect(check.data).toMatchObject({ heldOutRows: 1, heldOutTrained: 1 });
  });

  it('tells of text that was lost in another encoding', async () => {
    const check = await checked(await recipeOn([rowOf(0), { ...rowOf(1), Response: 'M\uFFFDller' }]));
    expect(of(check, 'textDamaged')).toMatchObject({ level: 'warning', message: expect.stringContaining('(line 2)') });
  });

  it.each([
    ['a file that is not there', { 'data.ref': 'none.jsonl' }, 'dataMissing', 'data.ref'],
    ['a template that is not there', { template: 'none' }, 'templateMissing', 'template'],
  ])('makes a finding of %s', async (_title, set, code, setting) => {
    const check = await checked(await recipeOn(rowsOf(3), set));
    expect(check.findings).toMatchObject([{ level: 'error', code, setting }]);
  });
});

describe('a check for contamination', () => {
  it('warns of each evaluation set with the rows that hold it, and notes what is only close', async () => {
    const seen: unknown[] = [];
    const check = await checked(await recipeOn(rowsOf(6), { 'data.heldOutRows': 1 }), {
      findContamination: async (training, heldOut) => {
        seen.push(
          training,
          heldOut.map(({ question }) => question),
        );
        return {
          items: 40,
          hits: [
            { task: 'mini', itemId: 'm1', level: 'soft', nearestTrainingRow: 0 },
            { task: 'mini', itemId: 'm2', level: 'hard', nearestTrainingRow: 4 },
            { task: 'heldout', itemId: 'h1', level: 'hard', nearestTrainingRow: null },
          ],
        };
      },
    });
    expect(seen).toEqual([['q0', 'q1', 'q2', 'q3', 'q4'], ['q5']]);
    expect(short(check)).toEqual(['warning contamination', 'warning contamination', 'note contamination']);
    expect(check.findings[0]?.message).toContain('An item of "mini" is asked by training rows, in the same or other words (m2 as line 5)');
    expect(check.findings[1]?.message).toContain('1 of the held-out rows');
    expect(check.data?.contamination).toEqual({ items: 40, hard: 2, soft: 1 });
  });
});

describe('a check of the host', () => {
  const truncated: CheckFinding = {
    level: 'warning',
    code: 'rowsTruncated',
    message: '2 rows are cut.',
    setting: 'base.maxLengthTokens',
    value: 900,
  };
  const tooLarge: CheckFinding = { level: 'error', code: 'memoryShort', message: 'No.', setting: 'trainer.perDeviceBatchSize', value: 1 };

  it('hands over the rows as they would be trained, and takes its findings in, errors first', async () => {
    const base = await baseFolder();
    const rows = [rowOf(0), rowOf(0), rowOf(2), rowOf(3)];
    const recipe = await recipeOn(rows, { 'base.ref': base, 'data.deduplicate': true, 'data.heldOutRows': 1 });
    const check = await checked(recipe, {
      askHost: async ({ folder, circumstances, ...question }) => {
        const job = TrainJob.parse(JSON.parse(await readFile(folder.job, 'utf8')));
        expect(question.job).toEqual(job);
        expect(circumstances).toEqual({ hasWeights: true, exportsThere: true, isBusy: false });
        const read = async (name: string) =>
          (await readFile(name, 'utf8'))
            .trimEnd()
            .split('\n')
            .map((line) => TrainingRow.parse(JSON.parse(line)).question);
        expect([await read(job.trainFile), await read(job.heldOutFile ?? '')]).toEqual([['q0', 'q2'], ['q3']]);
        expect(job).toMatchObject({ basePath: base, recipe, dryRun: false });
        return answered({ findings: [truncated as never, tooLarge as never] });
      },
    });
    expect(short(check)).toEqual(['error memoryShort', 'warning rowsTruncated', 'note duplicates']);
    expect(check.host?.device.kind).toBe('cpu');
  });

  it('is not asked about rows that cannot be trained on', async () => {
    let asked = 0;
    const askHost = async () => {
      asked += 1;
      return answered();
    };
    const base = await baseFolder();
    expect(short(await checked(await recipeOn([{ a: 1 }], { 'base.ref': base }), { askHost }))).toContain('error columnsMissing');
    expect(asked).toBe(0);
  });

  it('makes findings of a base that is not there and of a trainer that does not answer', async () => {
    const noBase = await checked(await recipeOn(rowsOf(3), { 'base.ref': 'no-such-model' }), { askHost: async () => answered() });
    expect(noBase.findings).toMatchObject([{ level: 'error', code: 'baseMissing', setting: 'base.ref' }]);
    const base = await baseFolder();
    const recipe = await recipeOn(rowsOf(3), { 'base.ref': base });
    const silent = await checked(recipe, { askHost: async () => ({ kind: 'silent', why: 'it ended with 1' }) });
    expect(silent.findings).toMatchObject([
      { level: 'warning', code: 'hostUnchecked', message: expect.stringContaining('it ended with 1') },
    ]);
    const refused = await checked(recipe, { askHost: async () => ({ kind: 'refused', why: 'no EOS' }) });
    expect(refused.findings).toMatchObject([{ level: 'error', code: 'hostRefused', message: 'The trainer cannot take it: no EOS.' }]);
    const noPython = errorOf(
      async () =>
        await checked(recipe, {
          askHost: async () => {
            throw new OSLER_ERR_PYTHON_MISSING('none was found');
          },
        }),
    );
    expect((await noPython).code).toBe('OSLER_ERR_PYTHON_MISSING');
  });

  it('tells the trainer of this machine that the weights of a base on the Hub are yet to come', async () => {
    const hub = await startHubServer();
    onTestFinished(() => hub.close());
    const file = (text: string, isLarge = false) => ({ content: Buffer.from(text), isLarge });
    hub.addCommit('model', 'owner/model', { 'config.json': file('{}'), 'model.safetensors': file('x'.repeat(500), true) });
    const config = { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint };
    const seen: boolean[] = [];
    const check = await checked(await recipeOn(rowsOf(3), { 'base.ref': 'owner/model' }), {
      config,
      askHost: async ({ circumstances }) => {
        seen.push(circumstances.hasWeights);
        return answered();
      },
    });
    expect([short(check), seen]).toEqual([['note baseMissing'], [false]]);
  });

  it('says why a host is not asked', async () => {
    const check = await checked(await recipeOn(rowsOf(3)), { host: { whyNot: 'it is asleep.' } });
    expect(check.findings).toMatchObject([
      { level: 'warning', code: 'hostUnchecked', message: 'Lengths, memory and disk are not known: it is asleep.' },
    ]);
  });

  it('leaves a Hub id to another machine, and gives it a base of this one as config and tokenizer', async () => {
    const questions: HostQuestion[] = [];
    const host: HostToAsk = {
      isRemote: true,
      isBusy: true,
      ask: async (question) => {
        questions.push(question);
        return answered();
      },
    };
    const [rows, base] = [rowsOf(3), await baseFolder()];
    for (const ref of ['owner/model', base]) expect(short(await checked(await recipeOn(rows, { 'base.ref': ref }), { host }))).toEqual([]);
    expect(questions.map(({ job }) => job.basePath)).toEqual(['owner/model', base]);
    for (const { job, folder, circumstances } of questions) {
      expect(circumstances).toMatchObject({ exportsThere: false, isBusy: true });
      expect([job.outputDir, path.dirname(job.templateFile)]).toEqual([folder.root, folder.root]);
    }
  });

  it('counts what comes back from another machine, and is exported here, on the disk of this one', async () => {
    const disk = {
      stages: [
        { name: 'checkpoints' as const, bytes: 5e15, description: 'x' },
        { name: 'merged' as const, bytes: 2e15, description: 'x' },
      ],
      elsewhere: [{ name: 'gguf' as const, bytes: 1e15, description: 'x' }],
      neededBytes: 7e15,
      freeBytes: 8e15,
    };
    const recipe = await recipeOn(rowsOf(3), { 'base.ref': await baseFolder() });
    const ask = async (): Promise<HostReply> => answered({ disk });
    const check = await checked(recipe, { host: { isRemote: true, isBusy: false, ask } });
    expect(of(check, 'diskShort')).toMatchObject({ level: 'error', setting: 'output.ggufTypes' });
    expect(of(check, 'diskShort').message).toContain('3000000.0 GB (merged 2000000.0 GB, gguf 1000000.0 GB)');
    expect(blockingFindings(check, { ignoresEstimates: true })).toEqual([]);
    // Here, all of it is on one disk, and the trainer has judged that.
    expect(short(await checked(recipe, { askHost: ask }))).toEqual([]);
  });

  it('blocks by errors, and lets estimates alone be overruled', async () => {
    const base = await baseFolder();
    const recipe = await recipeOn(rowsOf(3), { 'base.ref': base });
    const check = await checked(recipe, { askHost: async () => answered({ findings: [truncated as never, tooLarge as never] }) });
    expect(blockingFindings(check, { ignoresEstimates: false })).toEqual([tooLarge]);
    expect(blockingFindings(check, { ignoresEstimates: true })).toEqual([]);
    const missing = await checked(await recipeOn(rowsOf(3), { template: 'none' }));
    expect(blockingFindings(missing, { ignoresEstimates: true })).toHaveLength(1);
  });
});
