import { childEnvironment } from '../../core/config.ts';

/** Tokens, and the addresses that they are for: a token of one's own server must not go to the public one. */
const names = ['HF_TOKEN', 'HF_ENDPOINT', 'WANDB_API_KEY', 'WANDB_BASE_URL', 'WANDB_ENTITY'];

/** What the trainer needs of this environment on another machine. Never to be written into a file, a log or an argument list. */
export function trainerSecrets(environment: NodeJS.ProcessEnv = childEnvironment({})): Record<string, string> {
  const known = { ...environment, HF_TOKEN: environment['HF_TOKEN'] ?? environment['HUGGINGFACE_TOKEN'] };
  return Object.fromEntries(Object.entries(known).flatMap(([name, value]) => (names.includes(name) && value ? [[name, value]] : [])));
}
