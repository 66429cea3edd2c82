import type { EngineEvent } from './engine.ts';
import type { ThoughtClosed } from './thought-splitter.ts';

/** A whole generation, put together from its events. */
export interface GatheredAnswer {
  readonly thought: string;
  readonly answer: string;
  readonly closed: ThoughtClosed;
  /** Undefined where the generation was broken off. */
  readonly finish: Extract<EngineEvent, { type: 'finish' }> | undefined;
}

/** Puts the events of one generation together. */
export function gatherAnswer(events: readonly EngineEvent[]): GatheredAnswer {
  const text = (channel: 'thought' | 'answer'): string => events.map((event) => (event.type === 'delta' ? event[channel] : '')).join('');
  return {
    thought: text('thought'),
    answer: text('answer'),
    closed: events.find((event) => event.type === 'thought-closed')?.how ?? 'none',
    finish: events.find((event) => event.type === 'finish'),
  };
}
