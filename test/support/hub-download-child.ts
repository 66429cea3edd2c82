import { downloadSnapshot } from '../../src/core/hub/snapshot.ts';

// Fetches one repository in a process of its own, for tests that kill it.
const [endpoint = '', repo = '', cacheDir = ''] = process.argv.slice(2);
await downloadSnapshot({ endpoint, token: null, repo, type: 'model', revision: 'main', cacheDir, select: () => true });
