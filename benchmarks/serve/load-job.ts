import { z } from 'zod';

/** What the load client is to do: `clients` of them send the bodies one after the other, each as soon as its last answer is there. */
export const LoadJob = z.strictObject({
  port: z.int().min(1).max(65_535),
  clients: z.int().min(1),
  bodies: z.array(z.string()),
});
export type LoadJob = z.infer<typeof LoadJob>;

/** One answered request. Times are milliseconds since the client began. */
export const RequestRecord = z.strictObject({
  startMs: z.number(),
  /** null: the answer had no text. */
  firstTextMs: z.number().nullable(),
  endMs: z.number(),
  /** Between one chunk with text and the next. */
  gapsMs: z.array(z.number()),
  finishReason: z.string().nullable(),
  promptTokens: z.int(),
  cachedTokens: z.int(),
  completionTokens: z.int(),
});
export type RequestRecord = z.infer<typeof RequestRecord>;

/** What the load client saw, and what itself took of the cores. */
export const LoadResult = z.strictObject({
  wallSeconds: z.number().positive(),
  clientCpuSeconds: z.number(),
  /** With the start of its process. */
  clientTotalCpuSeconds: z.number(),
  records: z.array(RequestRecord),
});
export type LoadResult = z.infer<typeof LoadResult>;
