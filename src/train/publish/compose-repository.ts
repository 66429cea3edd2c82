import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import type { PushManifest } from '../../core/hub/push-manifest.ts';
import type { PushFile } from '../../core/hub/push-files.ts';
import type { RunFolder } from '../run-folder.ts';
import type { CardFacts } from './card-facts.ts';
import { uncertifiedOf } from './certificate-for-card.ts';
import { renderModelCard, renderNotice } from './model-card.ts';
import { adapterGgufPath, partsOf, publishFiles, type PublishedPart } from './publish-files.ts';
import { publicJson } from './public-text.ts';
import type { RunArtifacts } from './run-artifacts.ts';

/** A card's facts but for what the repository holds, which shows when it is looked at. */
export type CardDraft = Omit<CardFacts, 'parts' | 'ggufTypes' | 'hasAdapterGguf' | 'hasModelfile' | 'uncertified'>;

/**
 * All files of a push: what is asked for of the run, and beside it card, notice, licences, recipe and certificate, which tell of what an
 * earlier push of the same run left there, too. Card and notice are also written into the run's folder, under `card/`.
 */
export async function composeRepository(
  draft: CardDraft,
  artifacts: RunArtifacts,
  parts: ReadonlySet<PublishedPart>,
  folder: RunFolder,
  former: PushManifest | undefined,
): Promise<PushFile[]> {
  const { run, home, base, repo, certificate } = draft;
  const { name } = run.recipe.output;
  const model = await publishFiles(artifacts, parts, { repo, name, home, base });
  const sums = model.map(({ path: to, content }) => ({ path: to, sha256: 'file' in content ? content.sha256 : null }));
  const all = [...sums, ...(former?.files ?? []).filter((file) => sums.every((other) => other.path !== file.path))];
  const paths = all.map((file) => file.path);
  const facts: CardFacts = {
    ...draft,
    parts: partsOf(paths),
    ggufTypes: ggufTypesOf(paths, name),
    hasAdapterGguf: paths.includes(adapterGgufPath(name)),
    hasModelfile: paths.includes('Modelfile'),
    uncertified: uncertifiedOf(certificate, all),
  };
  const card = renderModelCard(facts);
  const notice = await withBaseNotice(renderNotice(facts), base.files);
  await writeFileAtomically(path.join(folder.root, 'card/README.md'), card);
  await writeFileAtomically(path.join(folder.root, 'card/NOTICE'), notice);
  return [
    { path: 'README.md', content: { text: card } },
    { path: 'NOTICE', content: { text: notice } },
    ...base.files
      .filter((file) => !isNotice(file.path))
      .map(({ path: to, file }): PushFile => ({ path: to, content: { file, sha256: null } })),
    { path: 'recipe.json', content: { text: `${JSON.stringify(publicJson(run.recipe, home), null, 2)}\n` } },
    ...(certificate === undefined
      ? []
      : [{ path: 'certificate.json', content: { text: `${JSON.stringify(publicJson(certificate, home), null, 2)}\n` } }]),
    ...model,
  ];
}

/** Number formats of the GGUF files by their names, in the order in which they are pushed. */
function ggufTypesOf(paths: readonly string[], name: string): string[] {
  const types = paths.flatMap((file) =>
    file.startsWith(`${name}-`) && file.endsWith('.gguf') ? [file.slice(name.length + 1, -'.gguf'.length)] : [],
  );
  return [...new Set(types)];
}

function isNotice(file: string): boolean {
  return /^notice(?:\.\w+)?$/i.test(file);
}

async function withBaseNotice(notice: string, files: CardDraft['base']['files']): Promise<string> {
  const own = files.find((file) => isNotice(file.path));
  return own === undefined ? notice : `${notice}\n---- NOTICE of the base model ----\n\n${await readFile(own.file, 'utf8')}`;
}
