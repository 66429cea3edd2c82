import { createRandom } from '../../src/core/rng.ts';

/** Tokens that every answer may have; the questions ask for far more, so that nearly all use them up. */
export const answerTokens = 64;

const sharedSentences = 24;
const sharedSeed = 20_261;

const subjects = ['the history', 'the daily practice', 'the teaching', 'the cost', 'the future', 'the science', 'the early years'] as const;
const fields = [
  'surgery',
  'nutrition',
  'sleep medicine',
  'public water supply',
  'vaccination',
  'nursing',
  'anaesthesia',
  'blood banks',
  'dentistry',
  'rehabilitation',
  'hospital kitchens',
  'rural clinics',
] as const;
const places = [
  'a port city',
  'a mountain village',
  'a large island',
  'a mining town',
  'the far north',
  'a river delta',
  'a young capital',
] as const;
const findings = [
  'a rising pulse',
  'a dry cough',
  'a pale face',
  'a stiff neck',
  'poor sleep',
  'a slow gait',
  'a low mood',
  'swollen feet',
] as const;
const times = ['On the first day', 'At noon', 'After two weeks', 'Before the winter', 'Late in the evening', 'In the third year'] as const;
const people = ['the midwife', 'a junior doctor', 'the pharmacist', 'an old sailor', 'the school nurse', 'a visiting teacher'] as const;

/** A question that asks for a very long answer, of about 35 tokens. */
export function openQuestion(random: () => number): string {
  const year = 1700 + Math.floor(random() * 300);
  return `Write a very long and detailed essay about ${pick(subjects, random)} of ${pick(fields, random)} in ${pick(places, random)} around ${year}. Use many full paragraphs.`;
}

/** A sentence of notes, of about 17 tokens. */
export function passageSentence(random: () => number): string {
  const age = 18 + Math.floor(random() * 70);
  return `${pick(times, random)} ${pick(people, random)} wrote of ${pick(findings, random)} and ${pick(findings, random)} in a patient of ${age}.`;
}

/** Instructions that are the same in every request, of about 450 tokens. */
export function sharedInstructions(): string {
  const random = createRandom(sharedSeed);
  return `Follow these notes. ${Array.from({ length: sharedSentences }, () => passageSentence(random)).join(' ')}`;
}

function pick<Word extends string>(words: readonly Word[], random: () => number): Word {
  const word = words[Math.floor(random() * words.length)];
  // random() is below 1, so the place is inside the list.
  if (word === undefined) throw new RangeError('There is no word to pick.');
  return word;
}
