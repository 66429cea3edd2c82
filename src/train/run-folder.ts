import path from 'node:path';

/** Where the files of one run are. */
export interface RunFolder {
  readonly root: string;
  readonly recipe: string;
  readonly template: string;
  readonly trainRows: string;
  readonly heldOutRows: string;
  readonly job: string;
  readonly source: string;
  /** What the check before the run found. */
  readonly check: string;
  /** Trainer's events, one JSON a line. */
  readonly events: string;
  /** What is told of the run on this side (a lost connection), as events; those of a trainer elsewhere are a copy of its own. */
  readonly notices: string;
  /** What another machine holds of the run. */
  readonly remote: string;
  /** Trainer's stderr. */
  readonly log: string;
  readonly adapter: string;
  readonly merged: string;
  gguf(type: string): string;
}

/** Paths under `<home>/runs/<id>/`. Nothing is created. */
export function runFolder(home: string, id: string): RunFolder {
  return runFiles(path.join(home, 'runs', id));
}

/** The files of a run in any folder: a check makes some of them before there is a run. */
export function runFiles(root: string): RunFolder {
  return {
    root,
    recipe: path.join(root, 'recipe.json'),
    template: path.join(root, 'template.jinja'),
    trainRows: path.join(root, 'train.jsonl'),
    heldOutRows: path.join(root, 'heldout.jsonl'),
    job: path.join(root, 'job.json'),
    source: path.join(root, 'source.json'),
    check: path.join(root, 'check.json'),
    events: path.join(root, 'events.jsonl'),
    notices: path.join(root, 'notices.jsonl'),
    remote: path.join(root, 'remote.json'),
    log: path.join(root, 'trainer.log'),
    adapter: path.join(root, 'adapter'),
    merged: path.join(root, 'merged'),
    gguf: (type) => path.join(root, `merged-${type}.gguf`),
  };
}
