import path from 'node:path';
import { OSLER_ERR_USAGE } from '../core/errors.ts';
import type { AdapterArm } from './open-model.ts';

/** The models of one server, as its flags name them. */
export interface ModelFlags {
  readonly model: readonly string[];
  readonly template: readonly string[];
  readonly adapter: readonly string[];
}

/** A model to open, with the adapters that share its weights. */
export interface ModelPlan {
  readonly name: string;
  readonly ref: string;
  readonly templateFile: string | null;
  readonly adapters: readonly AdapterArm[];
}

/** Reads `--model`, `--template` and `--adapter`. Throws OSLER_ERR_USAGE. */
export function readModelFlags(flags: ModelFlags): ModelPlan[] {
  const models = parsePairs(flags.model, '--model');
  const templates = parsePairs(flags.template, '--template');
  const adapters = [...parsePairs(flags.adapter, '--adapter')].map(([name, text]) => readAdapter(name, text));
  if (models.size === 0) throw new OSLER_ERR_USAGE('There is no model to serve. Name at least one: --model tuned=REF');
  for (const name of templates.keys())
    if (!models.has(name)) throw new OSLER_ERR_USAGE(`--template names "${name}", and there is no --model of that name.`);
  for (const { base, arm } of adapters) {
    if (models.has(arm.name)) throw new OSLER_ERR_USAGE(`--adapter names "${arm.name}", which is the name of a --model.`);
    if (!models.has(base)) throw new OSLER_ERR_USAGE(`--adapter "${arm.name}" is for "${base}", and there is no --model of that name.`);
  }
  return [...models].map(([name, ref]) => ({
    name,
    ref,
    templateFile: templates.get(name) ?? null,
    adapters: adapters.filter(({ base }) => base === name).map(({ arm }) => arm),
  }));
}

/** `BASE:FILE` or `BASE:FILE@SCALE`. */
function readAdapter(name: string, text: string): { base: string; arm: AdapterArm } {
  const [, base = '', file = '', scale = '1'] = /^([\w.-]+):(.+?)(?:@([\d.]+))?$/.exec(text) ?? [];
  if (file === '' || !(Number(scale) > 0))
    throw new OSLER_ERR_USAGE(
      `--adapter "${name}=${text}" is not of the form name=base:file, or name=base:file@scale with a scale above 0.`,
    );
  return { base, arm: { name, adapter: { file: path.resolve(file), scale: Number(scale) } } };
}

function parsePairs(words: readonly string[], option: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const word of words) {
    const [name = '', ...rest] = word.split('=');
    const value = rest.join('=');
    if (!/^[\w.-]{1,64}$/.test(name) || value === '')
      throw new OSLER_ERR_USAGE(
        `${option} "${word}" is not of the form name=value, where the name has letters, digits, ".", "_" and "-" only.`,
      );
    if (pairs.has(name)) throw new OSLER_ERR_USAGE(`${option} names "${name}" twice.`);
    pairs.set(name, value);
  }
  return pairs;
}
