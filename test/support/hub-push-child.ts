import path from 'node:path';
import { readConfig } from '../../src/core/config.ts';
import { pushFiles } from '../../src/core/hub/push-files.ts';

// Pushes one file in a process of its own and prints the most memory that it had, in bytes.
const [endpoint = '', file = ''] = process.argv.slice(2);
await pushFiles({
  endpoint,
  token: readConfig().hubToken,
  repo: 'ann/child',
  revision: 'main',
  visibility: 'private',
  run: 'run-1',
  title: 'Push',
  files: async () => [{ path: path.basename(file), content: { file, sha256: null } }],
  isDryRun: false,
});
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
