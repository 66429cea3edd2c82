import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { ServedModel } from '../served-model.ts';

/**
 * Refuses a request for more generations than its model could hold were it idle: to "come again" would be said for ever.
 *
 * @throws OSLER_ERR_REQUEST_UNSUPPORTED naming `n` where one prompt's choices are too many already, else `prompt`
 */
export function checkCapacity({ name, capacity }: ServedModel, asked: { choices: number; prompts?: number }): void {
  const { choices, prompts = 1 } = asked;
  const generations = choices * prompts;
  if (capacity === undefined || generations <= capacity) return;
  throw new OSLER_ERR_REQUEST_UNSUPPORTED(
    choices > capacity ? 'n' : 'prompt',
    `${generations} answers are asked for at once, and "${name}" holds ${capacity}, in its slots and waiting for them`,
  );
}
