import { createRandom, deriveSeed } from '../../src/core/rng.ts';
import { answerTokens, openQuestion, passageSentence, sharedInstructions } from './prompt-text.ts';

/** Kinds of prompts: a short question; a page of notes and a question; the same page of instructions before every question. */
export const workloadNames = ['short', 'long', 'shared-prefix'] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** Model name that both servers are asked for. */
export const benchModel = 'bench';

const longPassageSentences = 16;

export interface ChatMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** Which requests of a workload: equal coordinates give equal requests, others share no question. */
export interface WorkloadSlice {
  readonly workload: WorkloadName;
  readonly round: number;
  readonly clients: number;
  readonly count: number;
  /** Most tokens of an answer; default 64. */
  readonly maxTokens?: number;
}

/** Bodies of a slice as JSON text, equal byte for byte for both servers: every sampling parameter is given, for their defaults differ. */
export function buildBodies(slice: WorkloadSlice): string[] {
  return Array.from({ length: slice.count }, (_value, index) => {
    const seed = deriveSeed(1, slice.workload, slice.round, slice.clients, index);
    return JSON.stringify({
      model: benchModel,
      messages: buildMessages(slice.workload, seed),
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: slice.maxTokens ?? answerTokens,
      ...samplingFields,
      seed,
    });
  });
}

/** How the next token is drawn, in the words of the API. */
export const samplingFields = {
  temperature: 0.6,
  top_k: 40,
  top_p: 0.95,
  min_p: 0,
  repeat_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
} as const;

/** The messages of one request. The question is drawn by the seed, so that no two requests share more than the kind says. */
export function buildMessages(workload: WorkloadName, seed: number): ChatMessage[] {
  const random = createRandom(seed);
  const question = openQuestion(random);
  switch (workload) {
    case 'short':
      return [{ role: 'user', content: question }];
    case 'long': {
      const passage = Array.from({ length: longPassageSentences }, () => passageSentence(random)).join(' ');
      return [{ role: 'user', content: `${passage}\n\n${question}` }];
    }
    case 'shared-prefix':
      return [
        { role: 'system', content: sharedInstructions() },
        { role: 'user', content: question },
      ];
  }
}
