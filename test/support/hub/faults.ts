/** Faults, switched on and off while the server runs; `times` counts down. */
export interface HubFaults {
  /** Cuts or stalls the connection after so many bytes of a file's body. */
  break: { how: 'cut' | 'stall'; path: string; afterBytes: number; times: number } | null;
  /** Answers a status instead, with a text where one is given. */
  refuse: {
    host: 'hub' | 'cdn';
    pattern: RegExp;
    status: number;
    times: number;
    headers?: Record<string, string>;
    message?: string;
  } | null;
  /** Cuts the connection after so many bytes of an upload. */
  breakUpload: { afterBytes: number; times: number } | null;
  /** Takes a commit and cuts the connection before the answer. */
  losesCommitAnswers: number;
  /** Called before a commit is judged: for a second writer who is faster. */
  beforeCommit: (() => void) | null;
  /** Paths whose bytes are sent with one bit turned. */
  readonly wrongBytes: Set<string>;
  /** Answers 200 with the whole file whatever range is asked for. */
  ignoresRange: boolean;
  /** Answers 401 to whoever does not send it. */
  neededToken: string | null;
  /** Origin that the links to further pages name instead of the Hub's. */
  linkOrigin: string | null;
  /** Entries added to every listing. */
  readonly extraEntries: object[];
  /** Refuses large files of this many bytes and more, as a used-up quota does. */
  quotaBytes: number | null;
  /** A name is taken for every type of repository, not only its own. */
  hasOneNamespace: boolean;
  /** Proves uploaded bytes but does not keep them. */
  forgetsObjects: boolean;
}

export function noFaults(): HubFaults {
  return {
    break: null,
    refuse: null,
    breakUpload: null,
    losesCommitAnswers: 0,
    beforeCommit: null,
    wrongBytes: new Set(),
    ignoresRange: false,
    neededToken: null,
    linkOrigin: null,
    extraEntries: [],
    quotaBytes: null,
    hasOneNamespace: false,
    forgetsObjects: false,
  };
}
