import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile } from '../../core/read-json-file.ts';
import { evaluationsFolder } from '../evaluation-progress.ts';
import { Report } from '../schema/report.ts';
import { renderTable } from './markdown.ts';
import { headlineTables } from './tables.ts';

/** What a model card says of an evaluation: plain texts, and tables in Markdown. */
export interface CardSection {
  readonly id: string;
  readonly verdict: string;
  readonly tables: string;
  readonly notices: readonly string[];
}

/**
 * The newest complete evaluation of a home whose tuned arm has one of the given weights, for the model's card. Reports that cannot be read
 * are passed over.
 *
 * @param weightsSha256 of the model's GGUF files
 */
export async function findCardSection(home: string, weightsSha256: ReadonlySet<string>): Promise<CardSection | undefined> {
  const root = evaluationsFolder(home);
  const names = await readdir(root).catch(() => []);
  const reports = await Promise.all(names.map(async (name) => await readJsonFile(path.join(root, name, 'report.json'), Report)));
  const fitting = reports.filter(
    (report) => report !== undefined && report.isComplete && weightsSha256.has(report.arms.tuned.weightsSha256 ?? ''),
  );
  const newest = fitting.toSorted((a, b) => ((a?.createdAt ?? '') < (b?.createdAt ?? '') ? 1 : -1))[0];
  return newest === undefined ? undefined : cardSectionOf(newest);
}

/** Verdict, headline tables and notices of a report; prints what it says and computes nothing. */
export function cardSectionOf(report: Report): CardSection {
  const tables = headlineTables(report).map((table) => renderTable(table).replace(/^## /, '### '));
  const { sentence, secondarySentence } = report.verdict;
  return {
    id: report.evaluationId,
    verdict: secondarySentence === null ? sentence : `${sentence} ${secondarySentence}`,
    tables: tables.join('\n\n'),
    notices: report.notices,
  };
}
