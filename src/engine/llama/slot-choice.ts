/** What leaving a gap between the slots in use is worth, in prompt tokens read anew: it costs a pass over the weights in each of some hundred steps. */
const gapTokens = 256;
/** What a lone request pays for a cached token that it would erase: that token's conversation may come back, or may not. */
const erasedShare = 1 / 4;

/** A slot as the choice sees it. */
export interface SlotView {
  readonly isFree: boolean;
  /** Tokens in its cache, which a request that takes it erases beyond their common prefix. */
  readonly cachedTokens: number;
}

/** Which request goes into which slot, and how much of its prompt is there already. */
export interface SlotChoice {
  /** Place in the list of requests. */
  readonly request: number;
  readonly slot: number;
  readonly prefixTokens: number;
}

/**
 * Puts requests into free slots, at most as many as there are: the pair with the longest common prefix first, so that a new
 * question does not take the slot in which another's conversation lies.
 *
 * llama.cpp takes only neighbouring slots in one pass over the weights, so slots in use stay together, and a slot between two of
 * them is filled first. Where a request is all that runs there is no gap to make; then it spares what is cached.
 *
 * @param prefixTokens for each request, the tokens that each slot's cache has in common with its prompt
 */
export function chooseSlots(slots: readonly SlotView[], prefixTokens: readonly (readonly number[])[]): SlotChoice[] {
  const used = slots.map((slot) => !slot.isFree);
  const isAlone = prefixTokens.length === 1 && !used.includes(true);
  const open = new Set(prefixTokens.keys());
  const choices: SlotChoice[] = [];
  while (open.size > 0) {
    let best: { choice: SlotChoice; gain: number } | undefined;
    for (const request of open) {
      for (const [slot, { cachedTokens }] of slots.entries()) {
        if (used[slot] === true) continue;
        const prefix = prefixTokens[request]?.[slot] ?? 0;
        const erased = isAlone ? erasedShare * (cachedTokens - prefix) : 0;
        const gain = prefix - erased - gapTokens * addedGroups(used, slot);
        if (best === undefined || gain > best.gain) best = { choice: { request, slot, prefixTokens: prefix }, gain };
      }
    }
    if (best === undefined) break;
    used[best.choice.slot] = true;
    open.delete(best.choice.request);
    choices.push(best.choice);
  }
  return choices;
}

/** By how many the groups of neighbouring slots in use grow when this one is used too: 1 apart from all, −1 between two. */
function addedGroups(used: readonly boolean[], slot: number): number {
  return 1 - Number(used[slot - 1] === true) - Number(used[slot + 1] === true);
}
