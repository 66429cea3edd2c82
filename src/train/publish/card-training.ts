import type { CardFacts } from './card-facts.ts';
import { escapeMarkdown, markdownTable, publicText } from './public-text.ts';

/** How the model was made: recipe, what the trainer really used, losses. */
export function trainingSections(facts: CardFacts): string[] {
  return ['## Recipe', recipeTable(facts), ...asUsed(facts), '## Training data', dataSection(facts), '## Losses', lossSection(facts)];
}

function recipeTable({ run, base, home }: CardFacts): string {
  const { recipe } = run;
  const { lora, trainer } = recipe;
  const length = trainer.maxSteps === null ? `${trainer.epochs} epochs` : `${trainer.maxSteps} steps`;
  const batch = `${trainer.perDeviceBatchSize} × ${trainer.gradientAccumulationSteps} accumulated × ${trainer.processes} process${trainer.processes === 1 ? '' : 'es'}`;
  const rows: [string, string][] = [
    ['preset', recipe.name],
    ['base', `${base.name}${base.revision === null ? '' : ` at ${base.revision}`}`],
    ['base loaded in 4 bit', recipe.base.loadIn4bit ? 'asked for' : 'no'],
    ['longest row', `${recipe.base.maxLengthTokens} tokens`],
    ['prompt template', publicText(recipe.template, home)],
    ['LoRA', `rank ${lora.rank}, alpha ${lora.alpha}, dropout ${lora.dropout}, on ${lora.targetModules.join(', ')}`],
    ['length', length],
    ['batch', batch],
    [
      'learning rate',
      `${trainer.learningRate}, ${trainer.lrScheduler}, ${trainer.warmupSteps} warm-up steps, weight decay ${trainer.weightDecay}`,
    ],
    ['loss on', trainer.lossOn === 'all' ? 'the whole text' : 'thought and answer'],
    ['packing', trainer.packing ? 'yes' : 'no'],
    ['seed', String(trainer.seed)],
    ['early stop', trainer.earlyStopPatience === null ? 'no' : `after ${trainer.earlyStopPatience} evaluations without improvement`],
    ['checkpoint', trainer.keepBestCheckpoint ? 'the one of least held-out loss' : 'the last'],
  ];
  return markdownTable(
    ['setting', 'value'],
    rows.map(([name, value]) => [name, escapeMarkdown(value)]),
  );
}

/** What the trainer said it used, which can differ from what was asked for. */
function asUsed({ training, home }: CardFacts): string[] {
  const { started, finished } = training;
  if (started === undefined) return ['The trainer left no word of what it used.'];
  const memory = finished?.peakMemoryBytes ?? null;
  const rows: [string, string][] = [
    ['backend', started.backend],
    [
      'device',
      `${started.device.name}${started.device.memoryBytes === null ? '' : ` (${(started.device.memoryBytes / 1e9).toFixed(0)} GB)`}`,
    ],
    ...(finished === undefined
      ? []
      : [['time', `${finished.steps} steps in ${Math.round(finished.trainSeconds)} s`] satisfies [string, string]]),
    ...(memory === null ? [] : [['peak memory', `${(memory / 1e9).toFixed(1)} GB`] satisfies [string, string]]),
    ...Object.entries(started.resolved).map(([name, value]): [string, string] => [
      name,
      value === null ? 'none' : publicText(String(value), home),
    ]),
    [
      'versions',
      Object.entries(started.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ];
  return [
    'As really used:',
    markdownTable(
      ['setting', 'value'],
      rows.map(([name, value]) => [escapeMarkdown(name), escapeMarkdown(value)]),
    ),
  ];
}

function dataSection({ data, source, training, run }: CardFacts): string {
  const rows: [string, string][] = [
    ['data set', data.repo === null ? escapeMarkdown(data.name) : `[${data.repo}](https://huggingface.co/datasets/${data.repo})`],
    ...(data.revision === null ? [] : [['revision', data.revision] satisfies [string, string]]),
    ['configuration and split', `${run.recipe.data.config ?? 'none'}, ${run.recipe.data.split}`],
    ['licence', data.licence],
    ...(source === undefined
      ? []
      : ([
          ['rows trained on', String(source.data.trainRows)],
          ['rows held out', String(source.data.heldOutRows)],
          ['sha256 of the rows’ file', source.data.sha256],
        ] satisfies [string, string][])),
    ...(training.dataset === undefined
      ? []
      : ([
          ['tokens a row', `median ${training.dataset.lengthTokens.median}, longest ${training.dataset.lengthTokens.max}`],
          ['rows cut at the limit', String(training.dataset.truncatedRows)],
        ] satisfies [string, string][])),
  ];
  const table = markdownTable(
    ['', ''],
    rows.map(([name, value], index) => [name, index === 0 ? value : escapeMarkdown(value)]),
  );
  return [table, ...data.facts].join('\n\n');
}

function lossSection({ training }: CardFacts): string {
  const { firstLoss, lastLoss, heldOut, finished } = training;
  const first = heldOut[0];
  const last = heldOut.at(-1);
  const lines = [
    firstLoss === undefined || lastLoss === undefined
      ? 'No training loss was logged.'
      : `Training loss ${firstLoss.loss.toFixed(3)} at step ${firstLoss.step}, ${lastLoss.loss.toFixed(3)} at step ${lastLoss.step} of ${lastLoss.totalSteps}.`,
    first === undefined || last === undefined
      ? 'No loss on held-out rows was measured in training.'
      : `Loss on held-out rows ${first === last ? '' : `${first.loss.toFixed(3)} at step ${first.step}, `}${last.loss.toFixed(3)} at step ${last.step}.`,
    finished === undefined ? 'The training was not told to have come to its end.' : '',
    'A lower loss says that the model writes more like its training rows. It does not say that its answers are right.',
  ];
  return lines.filter((line) => line !== '').join(' ');
}
