import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { Metrics } from '../../../src/server/metrics.ts';
import { ServedModels } from '../../../src/server/served-model.ts';

const trainings = { list: () => [], folder: (id: string) => runFolder('/nowhere', id) };
const metrics = new Metrics(new ServedModels([]), trainings, async () => []);
const docs = path.join(packageRoot, 'docs');

/** Name, type, labels and meaning of each metric that there is. */
async function registered(): Promise<string[]> {
  const all = metrics.registry.getMetricsAsArray();
  const types = new Map((await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  return all.map((metric) => {
    // prom-client's types leave them out.
    const { name, help, labelNames } = metric as unknown as { name: string; help: string; labelNames: readonly string[] };
    return `| \`${name}\` | ${types.get(name) ?? ''} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
}

describe('docs/metrics.md', () => {
  it('names every metric, with its type, labels and meaning, and no other', async () => {
    const rows = readFileSync(path.join(docs, 'metrics.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `osler_'));
    expect(rows.toSorted()).toEqual((await registered()).toSorted());
  });
});

describe('docs/grafana-dashboard.json', () => {
  it('asks for metrics only that there are', async () => {
    const dashboard = readFileSync(path.join(docs, 'grafana-dashboard.json'), 'utf8');
    const parsed: { panels: { targets: { expr: string }[] }[] } = JSON.parse(dashboard);
    const asked = parsed.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/osler_\w+/g) ?? []));
    const names = metrics.registry.getMetricsAsArray().map(({ name }) => name);
    expect(asked.length).toBeGreaterThan(10);
    for (const name of asked) expect(names).toContain(name.replace(/_bucket$/, ''));
  });
});
