/** What is known of a base model's licence, and what it asks of whoever passes a tuned model on. */
export interface Licence {
  /** The Hub's id for the field `license`. */
  readonly id: string;
  readonly name: string;
  readonly link: string | null;
  /** Where this was learnt, as Markdown. */
  readonly basis: string;
  /** What the licence asks for, in whole sentences, as Markdown. */
  readonly terms: readonly string[];
  /** Words that have to be shown prominently. */
  readonly attribution: string | null;
  /** Words that have to travel with the weights in a NOTICE file. */
  readonly notice: string | null;
  /** How the name of a model that is passed on has to begin. */
  readonly namePrefix: string | null;
}

const none = { attribution: null, notice: null, namePrefix: null } as const;

function llama(version: string, id: string, slug: string, asMeta = ''): Licence {
  const name = `${asMeta}Llama ${version}`;
  return {
    id,
    name: `${name} Community License`,
    link: `https://www.llama.com/${slug}/license/`,
    basis: 'the name of the base model',
    terms: [
      `Whoever passes the model on provides a copy of the agreement, shows "Built with ${name === 'Meta Llama 3' ? name : 'Llama'}" prominently, and keeps the attribution of the NOTICE file.`,
      `The name of a model that is made from Llama and passed on begins with "Llama${version === '3' ? ' 3' : ''}".`,
      `Use complies with the Acceptable Use Policy (https://www.llama.com/${slug}/use-policy/).`,
    ],
    attribution: `Built with ${version === '3' ? 'Meta Llama 3' : 'Llama'}`,
    notice: `${name} is licensed under the ${name} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.`,
    namePrefix: 'Llama',
  };
}

function distilled(from: string, licence: Licence): Licence {
  return {
    ...licence,
    basis: `DeepSeek's own card: released under MIT, and derived from ${from}`,
    terms: [
      `DeepSeek releases its part under the MIT licence (https://github.com/deepseek-ai/DeepSeek-R1/blob/main/LICENSE), which asks that its copyright notice travels with copies. The model is derived from ${from}, so that the ${licence.name} goes on to apply.`,
      ...licence.terms,
    ],
  };
}

function apache(basis: string): Licence {
  return {
    id: 'apache-2.0',
    name: 'Apache License 2.0',
    link: 'https://www.apache.org/licenses/LICENSE-2.0',
    basis,
    terms: [
      'Whoever passes the model on gives a copy of the licence, keeps its notices, and says that the files were changed: this model was tuned.',
    ],
    ...none,
  };
}

/** Families by the base's name in lower case, the first that fits; anything doubtful is left out and read from the base's own card. */
const families: readonly { readonly pattern: RegExp; readonly licence: Licence }[] = [
  { pattern: /deepseek-r1-distill-llama-8b/, licence: distilled('Llama 3.1 8B Base', llama('3.1', 'llama3.1', 'llama3_1')) },
  { pattern: /deepseek-r1-distill-llama-70b/, licence: distilled('Llama 3.3 70B Instruct', llama('3.3', 'llama3.3', 'llama3_3')) },
  { pattern: /deepseek-r1-distill-qwen-(?:1\.5|7|14|32)b/, licence: distilled('the Qwen2.5 series', apache('')) },
  { pattern: /llama-?3\.1-/, licence: llama('3.1', 'llama3.1', 'llama3_1') },
  { pattern: /llama-?3\.2-/, licence: llama('3.2', 'llama3.2', 'llama3_2') },
  { pattern: /llama-?3\.3-/, licence: llama('3.3', 'llama3.3', 'llama3_3') },
  { pattern: /llama-3-(?:8|70)b/, licence: llama('3', 'llama3', 'llama3', 'Meta ') },
  { pattern: /smollm2?-\d+(?:\.\d+)?[mb]/, licence: apache('the family: SmolLM and SmolLM2 are released under Apache 2.0') },
  // Qwen2.5 in 3B and 72B has licences of its own.
  { pattern: /qwen2\.5-(?:0\.5|1\.5|7|14|32)b/, licence: apache('the family: Qwen2.5 in this size is released under Apache 2.0') },
  { pattern: /qwen3-(?:0\.6|1\.7|4|8|14|32)b/, licence: apache('the family: Qwen3 in this size is released under Apache 2.0') },
];

/** The licence of a family that is known by its name. */
export function licenceOfFamily(ref: string): Licence | undefined {
  return families.find(({ pattern }) => pattern.test(ref.toLowerCase()))?.licence;
}

/** What a base's own card says, without its terms; undefined where it says nothing. */
export function licenceOfCard(front: Readonly<Record<string, unknown>>, repo: string): Licence | undefined {
  const { license, license_name: name, license_link: link } = front;
  if (typeof license !== 'string' || !/^[a-z0-9.-]{1,60}$/.test(license)) return undefined;
  return {
    id: license,
    name: typeof name === 'string' && name.length < 100 ? name : license,
    link: typeof link === 'string' && /^https:\/\/\S{1,300}$/.test(link) ? link : null,
    basis: `the card of ${repo}`,
    terms: ['Its terms were not looked at by Osler: read them before you pass the model on.'],
    ...none,
  };
}

/** For a base of which nothing is known. */
export const unknownLicence: Licence = {
  id: 'unknown',
  name: 'unknown',
  link: null,
  basis: 'neither its name nor a card of it says so',
  terms: ['Find out under which licence the base model is before you pass this model on.'],
  ...none,
};
