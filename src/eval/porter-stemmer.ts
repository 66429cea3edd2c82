/** Martin Porter's algorithm (1980, https://tartarus.org/martin/PorterStemmer/def.txt): the stem of a lower-case English word. Other words come back as they are. */
export function stemWord(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word;
  return step5(step4(step3(step2(step1c(step1b(step1a(word)))))));
}

const consonant = '[^aeiou]';
const vowel = '[aeiouy]';
const consonants = `${consonant}[^aeiouy]*`;
const vowels = `${vowel}[aeiou]*`;
// m is the number of vowel-consonant sequences in a stem.
const isMeasureAbove0 = new RegExp(`^(?:${consonants})?${vowels}${consonants}`);
const isMeasure1 = new RegExp(`^(?:${consonants})?${vowels}${consonants}(?:${vowels})?$`);
const isMeasureAbove1 = new RegExp(`^(?:${consonants})?${vowels}${consonants}${vowels}${consonants}`);
const hasVowel = new RegExp(`^(?:${consonants})?${vowel}`);
const endsInCvc = new RegExp(`^${consonants}${vowel}[^aeiouwxy]$`);

function step1a(word: string): string {
  return word.replace(/(ss|i)es$/, '$1').replace(/([^s])s$/, '$1');
}

function step1b(word: string): string {
  if (word.endsWith('eed')) return isMeasureAbove0.test(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const stem = /^(.+?)(?:ed|ing)$/.exec(word)?.[1];
  if (stem === undefined || !hasVowel.test(stem)) return word;
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (/([^aeiouylsz])\1$/.test(stem)) return stem.slice(0, -1);
  return endsInCvc.test(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  return word.endsWith('y') && hasVowel.test(word.slice(0, -1)) ? `${word.slice(0, -1)}i` : word;
}

const step2Suffixes: readonly (readonly [string, string])[] = [
  ['ational', 'ate'], ['ization', 'ize'], ['iveness', 'ive'], ['fulness', 'ful'], ['ousness', 'ous'], ['tional', 'tion'], ['biliti', 'ble'],
  ['entli', 'ent'], ['ousli', 'ous'], ['ation', 'ate'], ['alism', 'al'], ['aliti', 'al'], ['iviti', 'ive'], ['enci', 'ence'], ['anci', 'ance'],
  ['izer', 'ize'], ['alli', 'al'], ['ator', 'ate'], ['logi', 'log'], ['bli', 'ble'], ['eli', 'e'],
]; // prettier-ignore

const step3Suffixes: readonly (readonly [string, string])[] = [
  ['icate', 'ic'], ['ative', ''], ['alize', 'al'], ['iciti', 'ic'], ['ical', 'ic'], ['ness', ''], ['ful', ''],
]; // prettier-ignore

function step2(word: string): string {
  return replaceSuffix(word, step2Suffixes);
}

function step3(word: string): string {
  return replaceSuffix(word, step3Suffixes);
}

function replaceSuffix(word: string, suffixes: readonly (readonly [string, string])[]): string {
  for (const [suffix, replacement] of suffixes) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, -suffix.length);
    return isMeasureAbove0.test(stem) ? stem + replacement : word;
  }
  return word;
}

function step4(word: string): string {
  const match = /^(.+?)(?:al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|ou|ism|ate|iti|ous|ive|ize)$/.exec(word);
  if (match !== null) return isMeasureAbove1.test(match[1] ?? '') ? (match[1] ?? '') : word;
  const beforeIon = /^(.+[st])ion$/.exec(word)?.[1];
  return beforeIon !== undefined && isMeasureAbove1.test(beforeIon) ? beforeIon : word;
}

function step5(word: string): string {
  let result = word;
  if (result.endsWith('e')) {
    const stem = result.slice(0, -1);
    if (isMeasureAbove1.test(stem) || (isMeasure1.test(stem) && !endsInCvc.test(stem))) result = stem;
  }
  return result.endsWith('ll') && isMeasureAbove1.test(result) ? result.slice(0, -1) : result;
}
