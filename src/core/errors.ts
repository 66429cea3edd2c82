import createError from '@fastify/error';

/**
 * The catalogue of every error that a user can meet.
 *
 * A message says what happened, with the value in quotes, and what to do next.
 * `docs/errors.md` is generated from this file and a test keeps the two equal.
 * Exit codes of the CLI follow the HTTP status: 4xx about the caller's words is usage (2),
 * the codes in `PREREQUISITE_CODES` are 3, everything else that throws is 70.
 */
export const OSLER_ERR_CONFIG_INVALID = createError('OSLER_ERR_CONFIG_INVALID', 'The configuration has %s problem(s):\n%s', 400);
export const OSLER_ERR_USAGE = createError('OSLER_ERR_USAGE', '%s', 400);
export const OSLER_ERR_INTERRUPTED = createError('OSLER_ERR_INTERRUPTED', '%s', 499);

export const OSLER_ERR_FILE_NOT_FOUND = createError(
  'OSLER_ERR_FILE_NOT_FOUND',
  'There is no file "%s". Check the path; it is resolved from the folder you are in.',
  400,
);
export const OSLER_ERR_FILE_UNUSABLE = createError(
  'OSLER_ERR_FILE_UNUSABLE',
  '"%s" cannot be used: %s. Check its place, its rights and the free space of its disk, then run the same command again.',
  400,
);
export const OSLER_ERR_DISK_FULL = createError(
  'OSLER_ERR_DISK_FULL',
  '"%s" needs about %s of free disk and %s is left. Free some space, or set OSLER_HOME to a larger disk.',
  507,
);

export const OSLER_ERR_DATA_ROWS = createError(
  'OSLER_ERR_DATA_ROWS',
  '"%s" has %s unusable row(s):\n%s\nMend these lines and start again; nothing was written.',
  400,
);
export const OSLER_ERR_DATA_COLUMNS = createError(
  'OSLER_ERR_DATA_COLUMNS',
  '"%s" has no column "%s" (it has: %s). Name yours with --set data.columns.question=… (also thought, answer).',
  400,
);
export const OSLER_ERR_DATA_EMPTY = createError('OSLER_ERR_DATA_EMPTY', '"%s" holds no rows%s.', 400);

export const OSLER_ERR_RECIPE_PRESET_UNKNOWN = createError(
  'OSLER_ERR_RECIPE_PRESET_UNKNOWN',
  'There is no preset "%s". Choose one of: %s; or give the path of a recipe file.',
  400,
);
export const OSLER_ERR_RECIPE_INVALID = createError('OSLER_ERR_RECIPE_INVALID', 'The recipe has %s problem(s):\n%s', 400);

export const OSLER_ERR_MODEL_UNKNOWN = createError(
  'OSLER_ERR_MODEL_UNKNOWN',
  'There is no model "%s": it is no path, no id of the registry (%s) and no Hub id of the form owner/name.',
  404,
);
export const OSLER_ERR_MODEL_NOT_SERVED = createError(
  'OSLER_ERR_MODEL_NOT_SERVED',
  'This server has no model "%s". Its models are: %s.',
  404,
);
export const OSLER_ERR_MODEL_CORRUPT = createError(
  'OSLER_ERR_MODEL_CORRUPT',
  '"%s" is not a usable GGUF file: %s. Fetch or export it again.',
  422,
);
export const OSLER_ERR_MODEL_TEMPLATE = createError(
  'OSLER_ERR_MODEL_TEMPLATE',
  'The chat template of "%s" cannot be rendered: %s. Give another with --template NAME=FILE.',
  422,
);
export const OSLER_ERR_MODEL_UNSUITABLE = createError('OSLER_ERR_MODEL_UNSUITABLE', '"%s" cannot be used here: %s', 422);

export const OSLER_ERR_ENGINE_FAILED = createError(
  'OSLER_ERR_ENGINE_FAILED',
  'The engine of model "%s" stopped: %s. It is being restarted; send the request again.',
  503,
);
export const OSLER_ERR_ENGINE_LOAD = createError('OSLER_ERR_ENGINE_LOAD', 'Model "%s" could not be loaded: %s', 503);
export const OSLER_ERR_ENGINE_NOT_READY = createError(
  'OSLER_ERR_ENGINE_NOT_READY',
  'Model "%s" is not ready yet (%s). Ask /readyz and send the request again.',
  503,
);
export const OSLER_ERR_QUEUE_FULL = createError(
  'OSLER_ERR_QUEUE_FULL',
  'Model "%s" has %s requests waiting, which is its limit. Send the request again in %s s.',
  503,
);

export const OSLER_ERR_REQUEST_INVALID = createError('OSLER_ERR_REQUEST_INVALID', '%s', 400);
export const OSLER_ERR_REQUEST_UNSUPPORTED = createError(
  'OSLER_ERR_REQUEST_UNSUPPORTED',
  'The parameter "%s" cannot be honoured: %s.',
  400,
);
export const OSLER_ERR_REQUEST_TOO_LONG = createError(
  'OSLER_ERR_REQUEST_TOO_LONG',
  'The prompt has %s tokens and the context of "%s" holds %s. Shorten it, or serve with a larger --context.',
  400,
);
export const OSLER_ERR_NOT_FOUND = createError('OSLER_ERR_NOT_FOUND', 'There is no %s "%s".', 404);
export const OSLER_ERR_INTERNAL = createError('OSLER_ERR_INTERNAL', 'The server failed. Look for request "%s" in its log.', 500);
export const OSLER_ERR_UNAUTHORIZED = createError(
  'OSLER_ERR_UNAUTHORIZED',
  'This server asks for an API key: send "Authorization: Bearer KEY".',
  401,
);

export const OSLER_ERR_SERVER_PORT_IN_USE = createError(
  'OSLER_ERR_SERVER_PORT_IN_USE',
  'Port %s on "%s" is in use. Choose another with --port.',
  400,
);
export const OSLER_ERR_SERVER_BIND = createError(
  'OSLER_ERR_SERVER_BIND',
  'The server binds to "%s" only with an API key. Set OSLER_API_KEY, or leave out --host to stay on 127.0.0.1.',
  400,
);

export const OSLER_ERR_PYTHON_MISSING = createError(
  'OSLER_ERR_PYTHON_MISSING',
  'Training needs Python 3.11 or newer with venv, and %s. On Debian: apt-get install python3 python3-venv',
  424,
);
export const OSLER_ERR_PYTHON_SETUP = createError(
  'OSLER_ERR_PYTHON_SETUP',
  'Setting up the Python environment failed at "%s":\n%s\nMend the cause and run the same command again: it goes on from there.',
  424,
);
export const OSLER_ERR_TOOL_MISSING = createError('OSLER_ERR_TOOL_MISSING', '"%s" is needed to %s. %s', 424);
export const OSLER_ERR_EXPORT_FAILED = createError('OSLER_ERR_EXPORT_FAILED', 'Exporting to "%s" failed: %s', 500);

export const OSLER_ERR_RUN_FAILED = createError('OSLER_ERR_RUN_FAILED', 'Run "%s" failed: %s', 500);
export const OSLER_ERR_RUN_STATE = createError('OSLER_ERR_RUN_STATE', 'Run "%s" is %s: %s', 409);

export const OSLER_ERR_HUB_FAILED = createError('OSLER_ERR_HUB_FAILED', '"%s" could not be fetched from the Hub: %s', 502);
export const OSLER_ERR_HUB_CHECKSUM = createError(
  'OSLER_ERR_HUB_CHECKSUM',
  'File "%s" of "%s" does not have the checksum that the Hub names. It was removed; run the same command again.',
  502,
);

export const OSLER_ERR_EVALUATION_MISMATCH = createError(
  'OSLER_ERR_EVALUATION_MISMATCH',
  '"%s" holds another evaluation (%s differ). Choose another --out, or repeat that evaluation\'s options to resume it.',
  409,
);
export const OSLER_ERR_EVALUATION_TASK_UNKNOWN = createError(
  'OSLER_ERR_EVALUATION_TASK_UNKNOWN',
  'There is no task "%s". Choose from: %s; or give a file with --items.',
  400,
);

/** Any error of the catalogue: `code`, `statusCode`, and a message fit for the user. */
export interface OslerError extends Error {
  readonly code: string;
  readonly statusCode: number;
}

/** Whether an unknown thrown value comes from this catalogue. */
export function isOslerError(value: unknown): value is OslerError {
  return value instanceof Error && 'code' in value && typeof value.code === 'string' && value.code.startsWith('OSLER_ERR_');
}

const PREREQUISITE_CODES = new Set([
  'OSLER_ERR_PYTHON_MISSING',
  'OSLER_ERR_PYTHON_SETUP',
  'OSLER_ERR_TOOL_MISSING',
  'OSLER_ERR_DISK_FULL',
  'OSLER_ERR_HUB_FAILED',
  'OSLER_ERR_HUB_CHECKSUM',
  'OSLER_ERR_ENGINE_LOAD',
]);

/** Exit codes of the CLI: 0 done, 1 gate failed, 2 usage, 3 prerequisite missing, 70 internal, 130 interrupted. */
export function exitCodeOf(error: unknown): 2 | 3 | 70 | 130 {
  if (!isOslerError(error)) return 70;
  if (error.code === 'OSLER_ERR_INTERRUPTED') return 130;
  if (PREREQUISITE_CODES.has(error.code)) return 3;
  return error.statusCode >= 400 && error.statusCode < 500 ? 2 : 70;
}

/** What went wrong, in words, from any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
