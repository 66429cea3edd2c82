import type { CardFacts } from './card-facts.ts';
import { cardFrontMatter } from './card-front-matter.ts';
import { trainingSections } from './card-training.ts';
import { useSections } from './card-use.ts';
import { isFullyCertified } from './certificate-for-card.ts';
import { escapeMarkdown, markdownTable, publicText } from './public-text.ts';

/** The repository's README.md: what the model is, how it was made, what was checked and measured, and what it must not be used for. */
export function renderModelCard(facts: CardFacts): string {
  const { base, run, exportNotices } = facts;
  const blocks = [
    `# ${escapeMarkdown(facts.repo.split('/')[1] ?? facts.repo)}`,
    '> **For research only. This is not a medical device.** It must not be used to diagnose, treat or advise anyone. It can be wrong with confidence, and no review by a clinician is recorded.',
    base.licence.attribution === null ? '' : `**${base.licence.attribution}**`,
    introduction(facts),
    ...trainingSections(facts),
    '## Certificate',
    certificateSection(facts),
    '## Evaluation',
    evaluationSection(facts),
    '## Limits',
    limits(facts),
    '## How to use it',
    ...useSections(facts),
    ...(exportNotices.length === 0
      ? []
      : ['Of the exported files:', exportNotices.map((notice) => `- ${escapeMarkdown(notice)}`).join('\n')]),
    '## Licences',
    licenceSection(facts),
    `Files and their sha256: \`osler.json\`. Recipe: \`recipe.json\`. Run \`${run.id}\`, made and published with Osler ${facts.oslerVersion}.`,
  ];
  return `${cardFrontMatter(facts)}\n${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function introduction({ base, data, parts, ggufTypes }: CardFacts): string {
  const holds = [
    ...(parts.has('merged') ? ['the merged model in 16 bit with its tokenizer (root)'] : []),
    ...(parts.has('adapter') ? ['the LoRA adapter with its tokenizer (`adapter/`)'] : []),
    ...(parts.has('gguf') ? [`GGUF files (${ggufTypes.join(', ')})`] : []),
  ];
  const link = base.repo === null ? escapeMarkdown(base.name) : `[${base.repo}](https://huggingface.co/${base.repo})`;
  return `${link}, tuned with LoRA on medical questions with written-out reasoning (${escapeMarkdown(data.name)}): it thinks first, then answers. This repository holds ${holds.join(', ')}.`;
}

function certificateSection({ certificate, uncertified, home }: CardFacts): string {
  if (certificate === undefined)
    return 'There is none: nobody checked that the exported files compute what was trained. Do not rely on them being the trained model.';
  const open = certificate.checks.filter(({ status }) => status !== 'passed').length;
  const verdict = !certificate.passed
    ? '**At least one check failed (`certificate.json`): the exported files may not be the model that was trained.**'
    : open === 0
      ? 'The exported files were compared with the trained weights, and every check passed (`certificate.json`).'
      : `The exported files were compared with the trained weights; no check failed, but **${open} of ${certificate.checks.length} were not run**, and show nothing (\`certificate.json\`).`;
  const rest = uncertified.length === 0 ? '' : `**Not covered by it:** ${uncertified.map((file) => `\`${file}\``).join(', ')}.`;
  const rows = certificate.checks.map(({ id, title, status, detail }) => [id, title, status, publicText(detail, home)].map(escapeMarkdown));
  return [verdict, rest, markdownTable(['check', 'what', 'result', 'detail'], rows)].filter((block) => block !== '').join('\n\n');
}

function evaluationSection({ evaluation }: CardFacts): string {
  if (evaluation === undefined) return 'There is none yet: whether tuning helped is not known. A falling training loss does not show it.';
  const notices = evaluation.notices.map((notice) => `- ${escapeMarkdown(notice)}`).join('\n');
  return [
    `**${escapeMarkdown(evaluation.verdict)}**`,
    evaluation.tables,
    notices,
    `Evaluation \`${evaluation.id}\`, base against tuned with the same engine and template.`,
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

function limits({ base, source, certificate, uncertified, evaluation, data }: CardFacts): string {
  const lines = [
    'It is a language model: it invents findings, doses and references, and sounds as sure when it is wrong.',
    'The thought that it writes is text, too, and no account of how the answer came about.',
    source === undefined
      ? ''
      : `It was tuned on ${source.data.trainRows} rows. That changes form more than knowledge: what the base does not know, it does not know.`,
    `It has whatever bias and gaps ${escapeMarkdown(base.name)} and ${escapeMarkdown(data.name)} have; patients of every age, sex and origin are not equally present in them.`,
    evaluation === undefined ? 'Nobody has measured how often it is right.' : '',
    certificate !== undefined && isFullyCertified(certificate) && uncertified.length === 0
      ? ''
      : 'It was not shown of all files here that they compute what was trained.',
    /smollm2?-135m/i.test(base.name) ? 'Its base has 135 million parameters and is far too small to know medicine.' : '',
    'Prompts may hold data about patients: run it where these may be, and do not send them elsewhere.',
  ];
  return lines
    .filter((line) => line !== '')
    .map((line) => `- ${line}`)
    .join('\n');
}

function licenceSection({ base, data, repo }: CardFacts): string {
  const { licence } = base;
  const name = licence.link === null ? escapeMarkdown(licence.name) : `[${escapeMarkdown(licence.name)}](${licence.link})`;
  const modelName = repo.split('/')[1] ?? '';
  const lines = [
    `Base model: ${escapeMarkdown(base.name)}, ${name} (by ${licence.basis}).`,
    ...licence.terms,
    licence.notice === null ? '' : `Notice: ${licence.notice}`,
    licence.namePrefix !== null && !modelName.toLowerCase().startsWith(licence.namePrefix.toLowerCase())
      ? `This repository's name does not begin with "${licence.namePrefix}": see to that before you pass the model on.`
      : '',
    base.files.length === 0
      ? 'No licence file came with the base model, so none travels with this one: `NOTICE` says where its text is. Whoever passes the model on adds it where the licence asks for a copy.'
      : `The base model's own files travel with this one: ${base.files.map((file) => `\`${file.path}\``).join(', ')}.`,
    `Training data: ${escapeMarkdown(data.name)}, ${escapeMarkdown(data.licence)}.`,
  ];
  return lines
    .filter((line) => line !== '')
    .map((line) => `- ${line}`)
    .join('\n');
}

/** The NOTICE file: what has to travel with the weights, and where the licences' texts are. None is made up here. */
export function renderNotice({ base, data, repo }: Pick<CardFacts, 'base' | 'data' | 'repo'>): string {
  const { licence } = base;
  const lines = [
    repo.split('/')[1] ?? repo,
    '',
    `This model was made by tuning ${base.name}${base.revision === null ? '' : ` (revision ${base.revision})`}; its weights were changed.`,
    `Licence of that model: ${licence.name}${licence.link === null ? '' : `, ${licence.link}`}.`,
    ...(licence.attribution === null ? [] : ['', licence.attribution]),
    ...(licence.notice === null ? [] : ['', licence.notice]),
    '',
    ...licence.terms,
    '',
    `Training data: ${data.name}${data.revision === null ? '' : ` (revision ${data.revision})`}, licence: ${data.licence}.`,
    ...data.facts,
    '',
    'For research only; not a medical device.',
  ];
  return `${lines.join('\n')}\n`;
}
