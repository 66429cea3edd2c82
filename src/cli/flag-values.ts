import { InvalidArgumentError } from 'commander';

/** Reads a whole number of a flag, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is wanted.');
  return value;
}

/** Reads a whole number of a flag, 1 or more. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('1 or more is wanted.');
  return value;
}

/** Reads seconds of a flag, up to a day: timers of Node do not reach beyond 24 days. */
export function secondsNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 86_400) throw new InvalidArgumentError('seconds are at most 86400, a day.');
  return value;
}

/** Reads a port of a flag; 0 lets the system choose. */
export function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError('a port is at most 65535.');
  return value;
}
