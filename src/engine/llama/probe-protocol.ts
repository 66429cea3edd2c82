import { z } from 'zod';
import { BackendChoice } from './backend-choice.ts';

/** What a probe's process is asked, as JSON in its command line. */
export const ProbeRequest = z.strictObject({
  choice: BackendChoice,
  /** GGUF file that is loaded and decoded. */
  modelFile: z.string(),
  threads: z.int().min(1),
  /** Tokens to decode one by one, each with its own pass. */
  tokens: z.int().min(1),
});
export type ProbeRequest = z.infer<typeof ProbeRequest>;

/** What that process answers. Where it answers nothing, it was ended. */
export const ProbeReply = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), device: z.string(), tokensPerSecond: z.number() }),
  z.strictObject({ ok: z.literal(false), reason: z.string() }),
]);
export type ProbeReply = z.infer<typeof ProbeReply>;
