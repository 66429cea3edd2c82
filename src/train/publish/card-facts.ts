import type { Certificate } from '../../core/schema/certificate.ts';
import type { Run } from '../../core/schema/run.ts';
import type { RunSource } from '../run-source.ts';
import type { DataOrigin } from './data-origin.ts';
import type { ModelOrigin } from './model-origin.ts';
import type { PublishedPart } from './publish-files.ts';
import type { TrainingFacts } from './training-facts.ts';

/** An evaluation of the model, rendered by whoever has it: this folder knows nothing of evaluations. */
export interface CardEvaluation {
  readonly id: string;
  /** Plain text. */
  readonly verdict: string;
  /** Markdown. */
  readonly tables: string;
  /** Plain texts. */
  readonly notices: readonly string[];
}

/** Everything that a model card is written from. */
export interface CardFacts {
  /** `owner/name`. */
  readonly repo: string;
  readonly home: string;
  readonly run: Run;
  readonly source: RunSource | undefined;
  readonly training: TrainingFacts;
  readonly base: ModelOrigin;
  readonly data: DataOrigin;
  /** Everything that the repository holds after the push. */
  readonly parts: ReadonlySet<PublishedPart>;
  /** Names of number formats, the recommended one first. */
  readonly ggufTypes: readonly string[];
  readonly hasAdapterGguf: boolean;
  readonly hasModelfile: boolean;
  readonly exportNotices: readonly string[];
  readonly certificate: Certificate | undefined;
  /** Files of weights in the repository that the certificate does not cover. */
  readonly uncertified: readonly string[];
  readonly evaluation: CardEvaluation | undefined;
  readonly oslerVersion: string;
}
