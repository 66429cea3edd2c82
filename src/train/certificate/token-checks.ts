import { sha256 } from '../../core/digest.ts';
import { messageOf } from '../../core/errors.ts';
import type { CertificateCheck } from '../../core/schema/certificate.ts';
import { checkOf } from './check.ts';
import type { ExportedModel } from './exported-model.ts';
import type { Reference } from './reference.ts';

/** The lines about what a file makes of text: template, tokenizer, first and last token. */
export async function tokenChecks(type: string, model: ExportedModel, reference: Reference): Promise<CertificateCheck[]> {
  return [
    templateCheck(type, model, reference),
    await tokenizerCheck(type, model, reference),
    await bosCheck(type, model, reference),
    await eosCheck(type, model, reference),
  ];
}

/** The same lines where the file could not be asked. */
export function tokenChecksNotRun(type: string, notRun: string): CertificateCheck[] {
  return (['template', 'tokens', 'bos', 'eos'] as const).map((kind) => checkOf(kind, type, { notRun }));
}

function templateCheck(type: string, model: ExportedModel, reference: Reference): CertificateCheck {
  const { prompts, templateSha256 } = reference;
  const rendered = prompts.map(({ question }) => renderOf(model, question));
  const wrong = prompts.findIndex(({ text }, index) => rendered[index] !== text);
  const isSameText = model.chatTemplate !== null && sha256(model.chatTemplate) === templateSha256;
  const problems =
    model.chatTemplate === null
      ? ['The file carries no chat template, so every runtime would take one of its own. Export it again from merged/.']
      : [
          ...(wrong >= 0
            ? [`The prompt of question "${prompts[wrong]?.id ?? ''}" ${differenceOf(prompts[wrong]?.text ?? '', rendered[wrong] ?? '')}.`]
            : []),
          ...(isSameText ? [] : ["The file's chat template is not the text of template.jinja. Export it again from merged/."]),
        ];
  return checkOf('template', type, {
    problems,
    found: `The file carries template.jinja as it is, and ${prompts.length} prompts are rendered from it as Python rendered them for the training.`,
    figures: { prompts: prompts.length, differing: prompts.filter(({ text }, index) => rendered[index] !== text).length },
    limits: { differing: 0 },
  });
}

function renderOf(model: ExportedModel, question: string): string {
  try {
    return model.render(question);
  } catch (error) {
    return messageOf(error);
  }
}

/** Where two texts part, in words. */
function differenceOf(trained: string, served: string): string {
  const at = [...trained].findIndex((character, index) => character !== served[index]);
  const place = at < 0 ? trained.length : at;
  const part = (text: string): string => JSON.stringify(text.slice(place, place + 32));
  return `is rendered otherwise than for the training from character ${place + 1} on: ${part(served)} in place of ${part(trained)}`;
}

async function tokenizerCheck(type: string, model: ExportedModel, { rows, prompts }: Reference): Promise<CertificateCheck> {
  const texts = [
    ...rows.filter(({ isTruncated }) => !isTruncated).map(({ id, text, ids }) => ({ name: `row "${id}"`, text, ids })),
    ...prompts.map(({ id, text, ids }) => ({ name: `the prompt of "${id}"`, text, ids })),
  ];
  const problems: string[] = [];
  let tokens = 0;
  for (const { name, text, ids } of texts) {
    const served = await model.tokenize(text);
    tokens += ids.length;
    const at = ids.findIndex((id, index) => id !== served[index]);
    if (at >= 0 || served.length !== ids.length)
      problems.push(
        `In ${name}, token ${(at < 0 ? ids.length : at) + 1} is ${served[at < 0 ? ids.length : at] ?? 'missing'} and ${ids[at] ?? 'none'} was trained.`,
      );
  }
  return checkOf('tokens', type, {
    problems: problems.slice(0, 3),
    found: `${texts.length} texts have the very ids that Python trained on, ${tokens} tokens.`,
    figures: { texts: texts.length, tokens, differing: problems.length },
    limits: { differing: 0 },
  });
}

async function bosCheck(type: string, model: ExportedModel, reference: Reference): Promise<CertificateCheck> {
  const { bosId, prompts } = reference;
  const facts = await model.vocabulary([]);
  const counts: number[] = [];
  for (const { text } of prompts) counts.push((await model.tokenize(text)).filter((id) => id === bosId).length);
  const written = Math.max(0, ...counts);
  const added = facts.addsBos ? 1 : 0;
  if (bosId === null)
    return checkOf('bos', type, {
      problems: facts.addsBos ? [`The model has no BOS, and the file asks runtimes to write one (tokenizer.ggml.add_bos_token).`] : [],
      found: 'The model has no BOS, and nothing writes one.',
      figures: { added },
    });
  const startsWrong = prompts.some(({ ids }) => ids[0] !== bosId);
  return checkOf('bos', type, {
    problems: [
      ...(startsWrong || written !== 1 ? [`The template writes BOS ${written} times, and once, at the beginning, is wanted.`] : []),
      ...(facts.addsBos && written > 0
        ? [
            'The template writes BOS, and the file asks runtimes to write another (tokenizer.ggml.add_bos_token is true): those that follow it would read two. Set "add_bos_token": false in merged/tokenizer_config.json and export again.',
          ]
        : []),
      ...(facts.bosId === bosId ? [] : [`The file's BOS is token ${facts.bosId ?? 'none'}, and ${bosId} was trained.`]),
    ],
    found: 'The template writes it, and the file asks runtimes to add none.',
    figures: { written, added },
    limits: { writtenAndAdded: 1 },
  });
}

async function eosCheck(type: string, model: ExportedModel, { eosId, rows }: Reference): Promise<CertificateCheck> {
  const facts = await model.vocabulary([eosId]);
  const whole = rows.filter(({ isTruncated }) => !isTruncated);
  const isEndedTwice = (ids: readonly number[]): boolean => ids.at(-2) === eosId;
  const endless = whole.filter(({ ids }) => ids.at(-1) !== eosId || isEndedTwice(ids));
  return checkOf('eos', type, {
    problems: [
      ...(facts.eosId === eosId
        ? []
        : [
            `The file's EOS (tokenizer.ggml.eos_token_id) is token ${facts.eosId ?? 'none'}, and answers were trained to end in token ${eosId}: runtimes that stop at the file's EOS alone would never stop. Export it again from merged/.`,
          ]),
      ...(facts.endIds.includes(eosId) ? [] : [`Token ${eosId}, in which trained answers end, ends no generation.`]),
      ...(endless.length > 0
        ? [`${endless.length} of ${whole.length} trained rows do not end in exactly one EOS (${endless[0]?.id ?? ''}).`]
        : []),
    ],
    found: `${whole.length} trained rows end in exactly one token ${eosId}, which is the file's EOS and ends a generation.`,
    figures: { rows: whole.length, endless: endless.length },
    limits: { endless: 0 },
  });
}
