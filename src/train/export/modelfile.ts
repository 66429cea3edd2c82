import { goTemplate } from './go-template.ts';
import type { GgufContents } from './inspect-gguf.ts';
import { probeTemplate } from './probe-template.ts';
import type { TurnTemplate } from './turn-template.ts';

export interface ModelfileOptions {
  readonly name: string;
  readonly runId: string;
  /** Name of the GGUF file beside it. */
  readonly ggufFile: string;
  /** The chat template that the model was trained with. */
  readonly template: string;
  readonly contents: Pick<GgufContents, 'bosToken' | 'eosToken' | 'addsBos' | 'addsEos'>;
  /** Longest text that it was trained on. */
  readonly contextTokens: number;
  readonly licence: string | null;
}

/** A Modelfile, and what its users should know. */
export interface Modelfile {
  readonly text: string;
  readonly notices: readonly string[];
}

/**
 * A Modelfile for Ollama whose TEMPLATE renders what the chat template renders, with one BOS.
 * Where that cannot be, TEMPLATE passes prompts on as they are, and a comment says how to send whole ones.
 */
export function writeModelfile(options: ModelfileOptions): Modelfile {
  const { contents, licence } = options;
  const template = ollamaTemplate(options);
  const notices = template.notice === null ? [] : [template.notice];
  const lines = [
    `# ${options.name}, made by run ${options.runId}. For research only; not a medical device.`,
    `# ollama create ${options.name.toLowerCase()} -f Modelfile`,
    ...notices.map((notice) => `# ${notice}`),
    `FROM ./${options.ggufFile}`,
    `TEMPLATE """${template.text}"""`,
    'PARAMETER temperature 0.6',
    'PARAMETER top_p 0.95',
    `PARAMETER num_ctx ${options.contextTokens}`,
    ...(contents.eosToken === null ? [] : [`PARAMETER stop "${contents.eosToken}"`]),
    ...(licence === null ? [] : [`LICENSE """${licence}"""`]),
  ];
  return { text: `${lines.join('\n')}\n`, notices };
}

function ollamaTemplate({ template, contents }: ModelfileOptions): { readonly text: string; readonly notice: string | null } {
  const { bosToken, eosToken, addsBos } = contents;
  const probed = probeTemplate(template, { bosToken: bosToken ?? '', eosToken: eosToken ?? '' });
  const problem = 'reason' in probed ? probed.reason : tokenizerProblem(probed.template, contents);
  if ('reason' in probed || problem !== null) {
    const bos = addsBos === true ? `, without "${bosToken ?? ''}" at its beginning, which is added there` : '';
    return {
      text: '{{ .Prompt }}',
      notice: `Ollama cannot render this model's chat template: ${problem ?? ''}. Render template.jinja yourself and send the text to /api/generate with "raw": true${bos}.`,
    };
  }
  return {
    text: goTemplate(probed.template, { bosToken: addsBos === true ? bosToken : null }),
    notice: probed.trimsContent
      ? 'The model was trained without white space around messages; Ollama does not remove it, so send none.'
      : null,
  };
}

/** Ollama tokenizes what it rendered as the GGUF's flags say, so that a BOS in both places would come twice. */
function tokenizerProblem(template: TurnTemplate, contents: ModelfileOptions['contents']): string | null {
  const { bosToken, addsBos, addsEos } = contents;
  if (addsEos === true) return 'the tokenizer puts its end token after every prompt';
  if (bosToken === null || addsBos === false) return null;
  if (addsBos === null) return 'the tokenizer does not say whether it adds its first token, and releases of Ollama differ';
  const heads = [template.head, template.system?.[0] ?? template.head];
  return heads.every((head) => head.startsWith(bosToken))
    ? null
    : 'the tokenizer puts a first token before every prompt, and the template has none';
}
