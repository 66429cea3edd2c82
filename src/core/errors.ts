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

export const OSLER_ERR_STORE_NEWER = createError(
  'OSLER_ERR_STORE_NEWER',
  'The store "%s" has %s. Start the newer release that wrote it. To go back instead, move it away with its -wal and -shm files and put an older copy in its place, which lacks what was written since: %s.',
  409,
);
export const OSLER_ERR_STORE_CORRUPT = createError(
  'OSLER_ERR_STORE_CORRUPT',
  'The store "%s" is damaged: %s. Move it away with its -wal and -shm files and put an older copy in its place (%s), or restore a backup with: npx osler backup restore FOLDER.',
  500,
);
export const OSLER_ERR_STORE_MIGRATION = createError(
  'OSLER_ERR_STORE_MIGRATION',
  'The store "%s" could not be moved from version %s: %s. It is as it was before that step. Start the former release, or report this.',
  500,
);
export const OSLER_ERR_BACKUP_INVALID = createError(
  'OSLER_ERR_BACKUP_INVALID',
  '"%s" is no sound backup: %s. Nothing was changed; take another one.',
  422,
);
export const OSLER_ERR_BACKUP_TARGET = createError('OSLER_ERR_BACKUP_TARGET', '"%s" is in the way: %s. Nothing was changed.', 409);

export const OSLER_ERR_DATA_ROWS = createError(
  'OSLER_ERR_DATA_ROWS',
  '"%s" has %s unusable row(s):\n%s\nMend these lines and start again; nothing was written.',
  400,
);
export const OSLER_ERR_DATA_COLUMNS = createError('OSLER_ERR_DATA_COLUMNS', '"%s" has no column %s. %s', 400);
export const OSLER_ERR_DATA_FORMAT = createError('OSLER_ERR_DATA_FORMAT', '"%s" cannot be read: %s. %s', 400);
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
export const OSLER_ERR_ENGINE_BACKEND = createError(
  'OSLER_ERR_ENGINE_BACKEND',
  'No engine can compute on this machine with OSLER_GPU=%s:\n%s\nMend it: %s',
  424,
);
export const OSLER_ERR_ENGINE_BUILD = createError(
  'OSLER_ERR_ENGINE_BUILD',
  'Compiling the engine for %s failed: %s\nThe whole output is in "%s". Mend the cause and run the same command again.',
  424,
);
export const OSLER_ERR_ENGINE_NOT_READY = createError(
  'OSLER_ERR_ENGINE_NOT_READY',
  'Model "%s" is not ready yet (%s). Ask /readyz and send the request again.',
  503,
);
export const OSLER_ERR_UPSTREAM_FAILED = createError(
  'OSLER_ERR_UPSTREAM_FAILED',
  'The upstream of model "%s" failed: %s. Send the request again; if it stays so, look at that server.',
  502,
);
export const OSLER_ERR_UPSTREAM_REFUSED = createError(
  'OSLER_ERR_UPSTREAM_REFUSED',
  'The upstream of model "%s" refuses the request: %s. Change what it names.',
  400,
);
export const OSLER_ERR_QUEUE_FULL = createError(
  'OSLER_ERR_QUEUE_FULL',
  'Model "%s" has %s requests waiting, which is its limit. Send the request again in %s s.',
  503,
);
export const OSLER_ERR_QUEUE_TIMEOUT = createError(
  'OSLER_ERR_QUEUE_TIMEOUT',
  'Model "%s" had no free place within %s s. Send the request again in %s s.',
  503,
);
export const OSLER_ERR_DRAINING = createError(
  'OSLER_ERR_DRAINING',
  'The server is shutting down and takes no new work. Send the request again in %s s.',
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
export const OSLER_ERR_REQUEST_MEDIA_TYPE = createError(
  'OSLER_ERR_REQUEST_MEDIA_TYPE',
  'The request is of type "%s". Send JSON, with the header "Content-Type: application/json".',
  415,
);
export const OSLER_ERR_REQUEST_TOO_LARGE = createError(
  'OSLER_ERR_REQUEST_TOO_LARGE',
  'The body is larger than %s bytes, which is the limit. Send less at once.',
  413,
);
export const OSLER_ERR_NOT_FOUND = createError('OSLER_ERR_NOT_FOUND', 'There is no %s "%s".', 404);
export const OSLER_ERR_INTERNAL = createError('OSLER_ERR_INTERNAL', 'The server failed. Look for request "%s" in its log.', 500);
export const OSLER_ERR_UNAUTHORIZED = createError(
  'OSLER_ERR_UNAUTHORIZED',
  'This server asks for an API key: send "Authorization: Bearer KEY".',
  401,
);

export const OSLER_ERR_FORBIDDEN = createError(
  'OSLER_ERR_FORBIDDEN',
  'This key lacks the scope "%s". Use a key that has it, or make one with: osler keys create --name NAME --scope %s',
  403,
);
export const OSLER_ERR_RATE_LIMITED = createError(
  'OSLER_ERR_RATE_LIMITED',
  'More than %s %s came within a minute. Send the request again in %s s.',
  429,
);
export const OSLER_ERR_HOST_REFUSED = createError(
  'OSLER_ERR_HOST_REFUSED',
  'The request is for the host "%s", and without a key this server answers to localhost and 127.0.0.1 only. Use these, or make a key with "osler keys create".',
  421,
);
export const OSLER_ERR_IDEMPOTENCY_KEY = createError(
  'OSLER_ERR_IDEMPOTENCY_KEY',
  'The idempotency key "%s" belongs to "%s", which was asked for in other words. Send another key.',
  409,
);

export const OSLER_ERR_WEBSOCKET_FRAME = createError(
  'OSLER_ERR_WEBSOCKET_FRAME',
  'The frame cannot be used: %s. See docs/websocket.md for every frame.',
  400,
);
export const OSLER_ERR_WEBSOCKET_CHATS = createError(
  'OSLER_ERR_WEBSOCKET_CHATS',
  'This websocket runs %s chats, which is its limit. Start the next one when one of them is done.',
  429,
);
export const OSLER_ERR_WEBSOCKET_SOCKETS = createError(
  'OSLER_ERR_WEBSOCKET_SOCKETS',
  'The server has %s websockets open, which is its limit. Try again when some are closed.',
  503,
);
export const OSLER_ERR_WEBSOCKET_ORIGIN = createError(
  'OSLER_ERR_WEBSOCKET_ORIGIN',
  'Pages of "%s" may not open a websocket here. Add that origin to OSLER_CORS_ORIGINS if it is yours.',
  403,
);
export const OSLER_ERR_WEBSOCKET_UPGRADE = createError(
  'OSLER_ERR_WEBSOCKET_UPGRADE',
  'This address speaks websocket only. Connect with a websocket client, or use POST /v1/chat/completions.',
  426,
);

export const OSLER_ERR_SERVER_PORT_IN_USE = createError(
  'OSLER_ERR_SERVER_PORT_IN_USE',
  'Port %s on "%s" is in use. Choose another with --port.',
  400,
);
export const OSLER_ERR_SERVER_BIND = createError(
  'OSLER_ERR_SERVER_BIND',
  'The server binds to "%s" only with an API key. Make one with "osler keys create", or set OSLER_API_KEY; or leave out --host to stay on 127.0.0.1.',
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
export const OSLER_ERR_RUN_PREFLIGHT = createError('OSLER_ERR_RUN_PREFLIGHT', 'The training cannot start: %s', 424);
export const OSLER_ERR_RUN_STATE = createError('OSLER_ERR_RUN_STATE', 'Run "%s" is %s: %s', 409);

export const OSLER_ERR_CERTIFICATE_MEASURE = createError(
  'OSLER_ERR_CERTIFICATE_MEASURE',
  'The certificate needs "osler_trainer %s", and it failed: %s. Mend the cause, then certify the run again with "npx osler certify".',
  500,
);
export const OSLER_ERR_CERTIFICATE_BROKEN = createError(
  'OSLER_ERR_CERTIFICATE_BROKEN',
  '"%s" is not the file that was certified: %s. Export it again, then run: npx osler certify %s',
  422,
);
export const OSLER_ERR_MODEL_NOT_PROMOTED = createError(
  'OSLER_ERR_MODEL_NOT_PROMOTED',
  'No model is promoted, so "%s" names none. Promote a run with "npx osler promote".',
  404,
);
export const OSLER_ERR_LAUNCHER_FILE = createError(
  'OSLER_ERR_LAUNCHER_FILE',
  '"%s" has %s problem(s):\n%s\ndocs/launchers.md shows what it may hold.',
  400,
);
export const OSLER_ERR_LAUNCHER_UNKNOWN = createError(
  'OSLER_ERR_LAUNCHER_UNKNOWN',
  'There is no launcher "%s". Known are: %s. Describe further ones in "%s"; docs/launchers.md says how.',
  400,
);
export const OSLER_ERR_LAUNCHER_UNREACHABLE = createError(
  'OSLER_ERR_LAUNCHER_UNREACHABLE',
  'Launcher "%s" cannot be reached: %s. Check the address in launchers.json, that the host is up, and the way to it, then run the same command again.',
  502,
);
export const OSLER_ERR_LAUNCHER_HOST_KEY = createError('OSLER_ERR_LAUNCHER_HOST_KEY', 'The host of launcher "%s" is not trusted: %s', 502);
export const OSLER_ERR_LAUNCHER_KEY_REFUSED = createError(
  'OSLER_ERR_LAUNCHER_KEY_REFUSED',
  'The host of launcher "%s" does not let us in: %s. Add the public key to ~/.ssh/authorized_keys there, or name another one as identityFile in launchers.json; try it with: %s',
  502,
);
export const OSLER_ERR_LAUNCHER_UNSUITABLE = createError(
  'OSLER_ERR_LAUNCHER_UNSUITABLE',
  'Launcher "%s" cannot run this training: %s',
  424,
);
export const OSLER_ERR_LAUNCHER_DISK = createError(
  'OSLER_ERR_LAUNCHER_DISK',
  'The disk of launcher "%s" is too full: %s. Remove old folders under runs/ and models/ there, or set workDir to a larger disk; then run the same command again.',
  507,
);
export const OSLER_ERR_LAUNCHER_COPY = createError(
  'OSLER_ERR_LAUNCHER_COPY',
  'The copy of the run in "%s" of launcher "%s" was not removed: %s',
  502,
);
export const OSLER_ERR_LAUNCHER_ARTIFACT = createError('OSLER_ERR_LAUNCHER_ARTIFACT', '"%s" of launcher "%s" was not taken over: %s', 502);

export const OSLER_ERR_HUB_FAILED = createError('OSLER_ERR_HUB_FAILED', '"%s" could not be fetched from the Hub: %s', 502);
export const OSLER_ERR_HUB_CHECKSUM = createError(
  'OSLER_ERR_HUB_CHECKSUM',
  'File "%s" of "%s" does not have the checksum that the Hub names. It was removed; run the same command again.',
  502,
);
export const OSLER_ERR_HUB_PUSH = createError('OSLER_ERR_HUB_PUSH', '"%s" could not be pushed to the Hub: %s', 502);
export const OSLER_ERR_HUB_PUSH_REFUSED = createError('OSLER_ERR_HUB_PUSH_REFUSED', 'Nothing was pushed to "%s": %s', 409);

export const OSLER_ERR_EVALUATION_MISMATCH = createError(
  'OSLER_ERR_EVALUATION_MISMATCH',
  '"%s" holds another evaluation (%s differ). Choose another --out, or repeat that evaluation\'s options to resume it.',
  409,
);
export const OSLER_ERR_EVALUATION_BUSY = createError(
  'OSLER_ERR_EVALUATION_BUSY',
  'Another process works on the evaluation in "%s". Wait for its end, or choose another --out.',
  409,
);
export const OSLER_ERR_EVALUATION_TASK_UNKNOWN = createError(
  'OSLER_ERR_EVALUATION_TASK_UNKNOWN',
  'There is no task "%s". Choose from: %s; or give a file with --items.',
  400,
);

export const OSLER_ERR_EVALUATION_MANIFEST = createError(
  'OSLER_ERR_EVALUATION_MANIFEST',
  'The benchmark "%s" has %s problem(s):\n%s\ndocs/tasks.md shows what it may hold.',
  400,
);
export const OSLER_ERR_EVALUATION_ITEMS = createError(
  'OSLER_ERR_EVALUATION_ITEMS',
  'The evaluation cannot be planned, %s problem(s):\n%s\n%s',
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

/** What of an error of the catalogue reaches another thread. */
export interface PlainError {
  readonly code: string;
  readonly statusCode: number;
  readonly message: string;
}

/** An error of the catalogue as data. */
export function plainError({ code, statusCode, message }: OslerError): PlainError {
  return { code, statusCode, message };
}

/** The error that became data, to throw it again. */
export function revivedError({ code, statusCode, message }: PlainError): OslerError {
  return Object.assign(new Error(message), { code, statusCode });
}

const PREREQUISITE_CODES = new Set([
  'OSLER_ERR_RUN_PREFLIGHT',
  'OSLER_ERR_PYTHON_MISSING',
  'OSLER_ERR_PYTHON_SETUP',
  'OSLER_ERR_TOOL_MISSING',
  'OSLER_ERR_DISK_FULL',
  'OSLER_ERR_STORE_NEWER',
  'OSLER_ERR_STORE_CORRUPT',
  'OSLER_ERR_STORE_MIGRATION',
  'OSLER_ERR_LAUNCHER_UNREACHABLE',
  'OSLER_ERR_LAUNCHER_HOST_KEY',
  'OSLER_ERR_LAUNCHER_KEY_REFUSED',
  'OSLER_ERR_LAUNCHER_UNSUITABLE',
  'OSLER_ERR_LAUNCHER_DISK',
  'OSLER_ERR_LAUNCHER_COPY',
  'OSLER_ERR_HUB_FAILED',
  'OSLER_ERR_HUB_CHECKSUM',
  'OSLER_ERR_HUB_PUSH',
  'OSLER_ERR_ENGINE_LOAD',
  'OSLER_ERR_ENGINE_BACKEND',
  'OSLER_ERR_ENGINE_BUILD',
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
