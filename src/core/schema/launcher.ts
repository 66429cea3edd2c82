import { z } from 'zod';

/** A CUDA host that is reached by ssh, with the trainer's requirements installed there. */
export const SshLauncher = z.strictObject({
  kind: z.literal('ssh'),
  host: z
    .string()
    .regex(/^[A-Za-z0-9._:@%-]+$/)
    .refine((host) => !host.startsWith('-'), 'a host does not begin with "-"')
    .describe('host, user@host, or a name of ~/.ssh/config'),
  port: z.int().min(1).max(65_535).optional(),
  identityFile: z.string().min(1).optional().describe('private key; left out: as ssh chooses'),
  knownHostsFile: z.string().min(1).optional().describe('file with the host’s key; left out: ~/.ssh/known_hosts and the system’s'),
  python: z
    .string()
    .min(1)
    .default('python3')
    .describe('interpreter there that has the requirements; relative, or "~/…": to the home folder'),
  workDir: z.string().min(1).default('.osler-runs').describe('folder there for runs; relative: to the home folder'),
  threads: z.int().min(1).optional().describe('CPU threads there; left out: its cores'),
});
export type SshLauncher = z.infer<typeof SshLauncher>;

/** A Ray cluster, through its Jobs API. */
export const RayLauncher = z.strictObject({
  kind: z.literal('ray'),
  address: z.url({ protocol: /^https?$/ }).describe('of the dashboard, such as http://head:8265'),
  storage: z.string().min(1).describe('absolute folder that this machine and the cluster share'),
  python: z.string().min(1).default('python3').describe('interpreter of the workers that has the requirements'),
  gpus: z.number().min(0).default(1).describe('GPUs that the job reserves'),
  threads: z.int().min(1).optional().describe('CPU threads there; left out: as many as here'),
});
export type RayLauncher = z.infer<typeof RayLauncher>;

/** `<home>/launchers.json`: hosts that trainings may run on, by name. `local` is always there. */
export const LauncherFile = z.record(
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .refine((name) => name !== 'local', '"local" is this machine'),
  z.discriminatedUnion('kind', [SshLauncher, RayLauncher]),
);
export type LauncherFile = z.infer<typeof LauncherFile>;
