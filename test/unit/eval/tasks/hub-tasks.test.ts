import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTasks, type TaskRequest } from '../../../../src/eval/load-tasks.ts';
import { commitsOf } from '../../../../src/eval/plan.ts';
import { clusterItems } from '../../../../src/eval/statistics/item-clusters.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

// rows/*.parquet are made of hub-rows.json by make-parquet.py, with the types that the data sets have on the Hub.
const rows = JSON.parse(await readFile(path.join(import.meta.dirname, 'hub-rows.json'), 'utf8')) as Record<string, unknown[]>;
const jsonl = (name: string): Buffer => Buffer.from((rows[name] ?? []).map((row) => JSON.stringify(row)).join('\n'));
const parquet = async (name: string): Promise<Buffer> => await readFile(path.join(import.meta.dirname, 'rows', `${name}.parquet`));

/** By task, the data set's repository and what it holds: the files that are meant, and others beside them. */
async function repositories(): Promise<Record<string, readonly [string, Record<string, Buffer>]>> {
  const noise = Buffer.from('{"not": "rows of this split"}\n');
  return {
    medqa: ['GBaker/MedQA-USMLE-4-options', { 'phrases_no_exclude_test.jsonl': jsonl('medqa'), 'phrases_no_exclude_train.jsonl': noise }],
    medmcqa: [
      'openlifescienceai/medmcqa',
      { 'data/validation-00000-of-00001.parquet': await parquet('medmcqa'), 'data/train-00000-of-00001.parquet': noise },
    ],
    pubmedqa: [
      'qiaojin/PubMedQA',
      { 'pqa_labeled/train-00000-of-00001.parquet': await parquet('pubmedqa'), 'pqa_artificial/train-00000-of-00001.parquet': noise },
    ],
    mmlu_medical: [
      'cais/mmlu',
      {
        'anatomy/test-00000-of-00001.parquet': await parquet('mmlu_anatomy'),
        'anatomy/dev-00000-of-00001.parquet': noise,
        'astronomy/test-00000-of-00001.parquet': noise,
        'college_medicine/test-00000-of-00001.parquet': await parquet('mmlu_college_medicine'),
      },
    ],
    mmlu_pro_health: [
      'TIGER-Lab/MMLU-Pro',
      { 'data/test-00000-of-00001.parquet': await parquet('mmlu_pro'), 'data/validation-00000-of-00001.parquet': noise },
    ],
    medxpertqa: ['TsinghuaC3I/MedXpertQA', { 'Text/test.jsonl': jsonl('medxpertqa'), 'Text/dev.jsonl': noise, 'MM/test.jsonl': noise }],
  };
}

/** The same rows as they stand in files of this machine, in our own form. */
const local: Record<string, object[]> = {
  medqa: [
    {
      id: 'medqa-test-0000',
      question: 'A woman has palpitations and a suppressed TSH. Which antibody is found?',
      options: {
        A: 'Antimitochondrial antibody',
        B: 'TSH receptor antibody',
        C: 'Anticentromere antibody',
        D: 'Acetylcholine receptor antibody',
      },
      answer: 'B',
      answer_text: 'TSH receptor antibody',
      licence: 'MIT',
      step: 'step2&3',
    },
  ],
  medmcqa: [
    {
      id: 'medmcqa-val-aa-1',
      question: 'Vitamin whose lack causes scurvy is',
      options: { A: 'Vitamin A', B: 'Vitamin B12', C: 'Vitamin C', D: 'Vitamin K' },
      answer: 'C',
      subject: 'Biochemistry',
    },
    {
      id: 'medmcqa-val-aa-2',
      question: 'Normal adult resting heart rate',
      options: { A: '60 to 100', B: '20 to 40', C: '20 to 40', D: '150 to 200' },
      answer: 'A',
      subject: 'Physiology',
    },
  ],
  pubmedqa: [
    {
      id: 'pubmedqa-1001',
      question: 'Do reminders raise attendance?',
      options: { A: 'yes', B: 'no', C: 'maybe' },
      answer: 'A',
      context: 'Visits are missed.\nAttendance was 84% with and 71% without.',
    },
    {
      id: 'pubmedqa-1002',
      question: 'Is the scale reliable?',
      options: { A: 'yes', B: 'no', C: 'maybe' },
      answer: 'C',
      context: 'Only ten raters took part.',
    },
  ],
  mmlu_medical: ['anatomy', 'college_medicine'].map((subject, index) => ({
    id: `mmlu-${subject}-${index}`,
    question: 'Which bone lies between incus and oval window?',
    options: { A: 'Malleus', B: 'Stapes', C: 'Hyoid', D: 'Vomer' },
    answer: 'B',
    subject,
  })),
  medxpertqa: [
    {
      id: 'medxpertqa-Text-9',
      question: 'Tremor, slow movements, a stooped gait. Where are cells lost?',
      // Written from the last to the first: letters decide the order.
      options: Object.fromEntries(
        ['Caudate', 'Nigra', 'Dentate', 'Red nucleus', 'Ceruleus', 'Hippocampus', 'Amygdala', 'Meynert', 'Olive', 'Putamen']
          .map((text, index) => [String.fromCodePoint(65 + index), text] as const)
          .toReversed(),
      ),
      answer: 'B',
      medical_task: 'Diagnosis',
      body_system: 'Nervous',
    },
  ],
};

let hub: HubServer;
const commits = new Map<string, string>();
beforeAll(async () => {
  hub = await startHubServer();
  for (const [task, [repo, files]] of Object.entries(await repositories())) {
    const content = Object.fromEntries(Object.entries(files).map(([file, bytes]) => [file, { content: bytes }]));
    commits.set(task, hub.addCommit('dataset', repo, content));
  }
});
afterAll(() => hub.close());

const requestOf = (changes: Partial<TaskRequest>): TaskRequest => ({
  tasks: [],
  itemFiles: [],
  heldOutFile: null,
  limit: null,
  config: { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint },
  commits,
  ...changes,
});

async function jsonlFile(items: readonly object[], name = 'rows.jsonl'): Promise<string> {
  const file = path.join(temporaryFolder(), name);
  await writeFile(file, items.map((item) => JSON.stringify(item)).join('\n'));
  return file;
}

describe('benchmarks from the Hub', () => {
  it.each(['medqa', 'medmcqa', 'pubmedqa', 'mmlu_medical', 'medxpertqa'])(
    '%s: gives the items, ids included, that local files of the same rows give',
    async (task) => {
      const [remote] = await loadTasks(requestOf({ tasks: [task] }));
      const [here] = await loadTasks(requestOf({ itemFiles: [`${task}=${await jsonlFile(local[task] ?? [])}`] }));
      expect(remote?.items.length).toBe(local[task]?.length);
      expect(remote?.items).toEqual(here?.items);
      expect(remote?.items.map(({ options }) => Object.keys(options ?? {}))).toEqual(
        here?.items.map(({ options }) => Object.keys(options ?? {})),
      );
    },
  );

  it('takes the health category of MMLU-Pro, three to ten options, and keeps a repeated row apart in one cluster', async () => {
    const [task] = await loadTasks(requestOf({ tasks: ['mmlu_pro_health'] }));
    const items = task?.items ?? [];
    expect(items.map(({ answer, subject, sourceId }) => [answer, subject, sourceId])).toEqual([
      ['F', 'anatomy', '71'],
      ['F', 'anatomy', '72'],
      ['C', 'virology', '73'],
    ]);
    expect(items[1]?.id).toBe(`${items[0]?.id}-2`);
    expect(items.map(({ options }) => Object.keys(options ?? {}).length)).toEqual([10, 10, 3]);
    expect(new Set(clusterItems(items)).size).toBe(2);
    expect(task?.origin?.rows).toBe(3);
    expect(task?.origin?.kept).toEqual([{ place: 'row 3', reason: 'the whole row stands on row 2 already' }]);
  });

  it('keeps MMLU questions of two subjects as two items of one cluster', async () => {
    const [task] = await loadTasks(requestOf({ tasks: ['mmlu_medical'] }));
    expect(new Set(task?.items.map(({ id }) => id)).size).toBe(2);
    expect(new Set(clusterItems(task?.items ?? [])).size).toBe(1);
  });

  it('keeps published rows with equal options, and says so', async () => {
    const [task] = await loadTasks(requestOf({ tasks: ['medmcqa'] }));
    expect(task?.origin).toMatchObject({
      hub: { repo: 'openlifescienceai/medmcqa', commit: commits.get('medmcqa') },
      files: ['data/validation-00000-of-00001.parquet'],
      kept: [{ place: 'row 2', reason: 'options: B and C are equal' }],
      dropped: [],
    });
  });

  it('asks the Hub once: the commit’s files are kept, and no others are fetched', async () => {
    const request = requestOf({ tasks: ['mmlu_medical'] });
    const before = hub.requests.length;
    const first = await loadTasks(request);
    const asked = hub.requests.slice(before).map(({ url }) => url);
    expect(asked.filter((url) => /astronomy\/test|anatomy\/dev/.test(url) && url.includes('/resolve/'))).toEqual([]);
    const after = hub.requests.length;
    expect(await loadTasks(request)).toEqual(first);
    expect(hub.requests.length).toBe(after);
  });

  it('says that a pinned commit is not there', async () => {
    const error = await errorOf(() => loadTasks(requestOf({ tasks: ['medqa'], commits: undefined })));
    expect(error.code).toBe('OSLER_ERR_HUB_FAILED');
    expect(error.message).toContain('GBaker/MedQA-USMLE-4-options@0fb93dd23a7339b6dcd27e241cb9b5eca62d4d18');
  });

  it('reads the files of a cloned data set in the folder of benchmark data, and asks no Hub', async () => {
    const benchmarkData = temporaryFolder();
    for (const [name, bytes] of Object.entries((await repositories())['mmlu_medical']?.[1] ?? {})) {
      const file = path.join(benchmarkData, 'cais/mmlu', name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    const config = { ...testConfig(temporaryFolder()), hubEndpoint: 'http://127.0.0.1:9', benchmarkData };
    const [here] = await loadTasks(requestOf({ tasks: ['mmlu_medical'], config }));
    const [remote] = await loadTasks(requestOf({ tasks: ['mmlu_medical'] }));
    expect(here?.items).toEqual(remote?.items);
    expect(here?.origin).toMatchObject({ hub: null, revision: 'not stated' });
  });

  it('takes a file in the form of the Hub as the rows of a benchmark too', async () => {
    const file = path.join(import.meta.dirname, 'rows/pubmedqa.parquet');
    const [here] = await loadTasks(requestOf({ itemFiles: [`pubmedqa=${file}`] }));
    expect(here?.items).toEqual((await loadTasks(requestOf({ tasks: ['pubmedqa'] })))[0]?.items);
  });
});

describe('a benchmark of one file', () => {
  const manifestOf = (part: object): object => ({ id: 'cardio', parts: [{ task: 'cardio', ...part }] });
  const hubPart = {
    hub: {
      repo: 'hospital/cardio',
      revision: 'main',
      files: ['*.jsonl'],
      columns: { question: 'stem', options: ['one', 'two'], answer: { column: 'right', as: 'index' }, cluster: 'vignette' },
    },
  };
  const rowOf = (stem: string, vignette: string): object => ({ stem, one: 'Rest', two: 'Surgery', right: '1', vignette });
  const commit = (...questions: object[]): string =>
    hub.addCommit('dataset', 'hospital/cardio', {
      'a.jsonl': { content: Buffer.from(questions.map((row) => JSON.stringify(row)).join('\n')) },
    });

  it('resolves a branch when it is planned, freezes the commit, and goes on with it after the branch moved', async () => {
    const first = commit(rowOf('Which?', 'v1'), rowOf('And then?', 'v1'));
    const tasks = [await jsonlFile([manifestOf(hubPart)], 'cardio.json')];
    const [planned] = await loadTasks(requestOf({ tasks, commits: undefined }));
    expect(planned?.origin?.hub).toEqual({ repo: 'hospital/cardio', revision: 'main', commit: first });
    expect(new Set(clusterItems(planned?.items ?? [])).size).toBe(1);
    const second = commit(rowOf('Quite another?', 'v2'));
    const [resumed] = await loadTasks(requestOf({ tasks, commits: commitsOf([{ task: 'cardio', origin: planned?.origin }]) }));
    expect(resumed).toEqual(planned);
    const [fresh] = await loadTasks(requestOf({ tasks, commits: undefined }));
    expect(fresh?.origin?.hub?.commit).toBe(second);
    expect(fresh?.items.map(({ question }) => question)).toEqual(['Quite another?']);
  });

  it('reads rows beside it, in any format, with a prompt of its own', async () => {
    const file = await jsonlFile([rowOf('Which?', 'v1')]);
    const columns = hubPart.hub.columns;
    const manifest = path.join(path.dirname(file), 'cardio.json');
    await writeFile(manifest, JSON.stringify(manifestOf({ file: 'rows.jsonl', columns, prompt: 'Choose.\n\n{question}\n\n{options}' })));
    const [task] = await loadTasks(requestOf({ tasks: [manifest] }));
    expect(task?.items).toMatchObject([
      { question: 'Which?', answer: 'B', answer_text: 'Surgery', promptTemplate: 'Choose.\n\n{question}\n\n{options}' },
    ]);
    expect(task?.items[0]?.id).toMatch(/^cardio-[0-9a-f]{16}$/);
  });

  it('names every column that is not there', async () => {
    const file = await jsonlFile([{ stem: 'Which?', one: 'Rest' }]);
    const manifest = path.join(path.dirname(file), 'cardio.json');
    await writeFile(manifest, JSON.stringify(manifestOf({ file: 'rows.jsonl', columns: hubPart.hub.columns })));
    const error = await errorOf(() => loadTasks(requestOf({ tasks: [manifest] })));
    expect(error.code).toBe('OSLER_ERR_DATA_COLUMNS');
    expect(error.message).toContain('has no column "vignette", "two", "right". It has: stem, one.');
  });

  it.each<[string, object, string]>([
    ['neither file nor Hub', {}, 'parts.0: names a file or rows of the Hub (hub), one of the two'],
    ['both', { file: 'a.jsonl', ...hubPart }, 'parts.0: names a file or rows of the Hub'],
    ['no question column', { file: 'a.jsonl', columns: { answerText: 'a' } }, 'parts.0.columns.question'],
    ['options without answer', { file: 'a.jsonl', columns: { question: 'q', options: 'o' } }, 'options and answer go together'],
    ['a prompt without options', { file: 'a.jsonl', columns: hubPart.hub.columns, prompt: '{question}' }, 'the prompt lacks {options}'],
    ['an unknown field', { file: 'a.jsonl', colums: {} }, 'colums'],
    ['a path out of the repository', { hub: { ...hubPart.hub, files: ['../x'] } }, 'parts.0.hub.files.0'],
  ])('refuses a manifest with %s', async (_name, part, message) => {
    const tasks = [await jsonlFile([manifestOf(part)], 'cardio.json')];
    const error = await errorOf(() => loadTasks(requestOf({ tasks })));
    expect(error.code).toBe('OSLER_ERR_EVALUATION_MANIFEST');
    expect(error.message).toContain(message);
  });

  it('refuses a manifest that is no JSON, or not there', async () => {
    const file = path.join(temporaryFolder(), 'cardio.json');
    await writeFile(file, '{');
    expect((await errorOf(() => loadTasks(requestOf({ tasks: [file] })))).code).toBe('OSLER_ERR_EVALUATION_MANIFEST');
    expect((await errorOf(() => loadTasks(requestOf({ tasks: ['/none/cardio.json'] })))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  it('says which filter lets no row through, and which file the repository lacks', async () => {
    commit(rowOf('Which?', 'v1'));
    const nothing = [await jsonlFile([manifestOf({ hub: { ...hubPart.hub, where: { vignette: 'v9' } } })], 'a.json')];
    expect((await errorOf(() => loadTasks(requestOf({ tasks: nothing })))).message).toContain('holds no rows with vignette "v9"');
    const gone = [await jsonlFile([manifestOf({ hub: { ...hubPart.hub, files: ['test-*.parquet'] } })], 'b.json')];
    expect((await errorOf(() => loadTasks(requestOf({ tasks: gone })))).message).toContain(
      '"hospital/cardio" holds no rows in a file "test-*.parquet"',
    );
  });
});
