import { z } from 'zod';
import { OSLER_ERR_WEBSOCKET_FRAME, type OslerError } from '../../core/errors.ts';
import { isRecord } from '../../core/is-record.ts';
import { isJsonTooDeep, maxJsonDepth } from '../../core/json-depth.ts';
import { describeIssues, fieldOf } from '../issue-lines.ts';
import { hasHalfCharacter } from '../limits/json-body.ts';
import { ClientFrame, clientFrameTypes } from './frames.ts';

const idChars = 64;
const shownTypeChars = 120;

/** A client's frame, or why it is none; `id` is the chat that it meant, where it said so. */
export type FrameReading =
  | { readonly frame: ClientFrame }
  | { readonly id: string | null; readonly error: OslerError; readonly param: string | null };

/** Reads one frame as it came from the socket. */
export function readFrame(data: string, isBinary: boolean): FrameReading {
  const refuse = (why: string, id: string | null = null, param: string | null = null): FrameReading => ({
    id,
    error: new OSLER_ERR_WEBSOCKET_FRAME(why),
    param,
  });
  if (isBinary) return refuse('it is binary, and frames are JSON text');
  if (isJsonTooDeep(data)) return refuse(`it is nested deeper than ${maxJsonDepth} levels`);
  const value = parseJson(data);
  if (value === undefined) return refuse('it is not JSON');
  if (hasHalfCharacter(data)) return refuse('it holds half a character (a lone \\ud8…)');
  if (!isRecord(value)) return refuse('it is not a JSON object');
  const { type } = value;
  if (typeof type !== 'string' || !clientFrameTypes.includes(type)) {
    const given = typeof type === 'string' ? `the type "${type.slice(0, shownTypeChars)}" is unknown` : 'it has no type';
    return refuse(`${given}; the types are ${clientFrameTypes.join(', ')}`, null, 'type');
  }
  const parsed = ClientFrame.safeParse(value);
  if (parsed.success) return { frame: parsed.data };
  const { issues } = parsed.error;
  const id = z.string().min(1).max(idChars).safeParse(value['id']).data ?? null;
  return refuse(`it has ${describeIssues(issues, type)}`, id, fieldOf(issues[0]));
}

/** Undefined where the text is no JSON, which itself knows no undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
