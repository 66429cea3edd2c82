/** A value with the place of its source. */
export interface Indexed<T> {
  readonly index: number;
  readonly value: T;
}

/** Values of several sources as they come. Each source is asked for its next value only when its last one was taken. */
export async function* interleave<T>(sources: readonly AsyncIterator<T, void>[]): AsyncGenerator<Indexed<T>, void> {
  const ready: (() => Indexed<T> | undefined)[] = [];
  let wake = (): void => undefined;
  let openCount = sources.length;
  const ask = (source: AsyncIterator<T, void>, index: number): void => {
    const settle = (give: () => Indexed<T> | undefined): void => {
      ready.push(give);
      wake();
    };
    source.next().then(
      (result) =>
        settle(() => {
          if (result.done !== true) return { index, value: result.value };
          openCount -= 1;
          return undefined;
        }),
      (error: unknown) =>
        settle(() => {
          throw error;
        }),
    );
  };
  for (const [index, source] of sources.entries()) ask(source, index);
  while (openCount > 0) {
    const give = ready.shift();
    if (give === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const indexed = give();
    if (indexed === undefined) continue;
    yield indexed;
    const source = sources[indexed.index];
    if (source !== undefined) ask(source, indexed.index);
  }
}
