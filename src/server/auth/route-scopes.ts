import type { Scope } from './api-key.ts';

/** What a route asks of its caller: nothing, any key, or a key with a scope. */
export type Demand = 'none' | 'any' | Scope;

interface Rule {
  /** A route's path; with `*` at its end, everything that begins so. */
  readonly path: string;
  readonly reads: Demand;
  readonly writes: Demand;
}

/**
 * Who may do what; the first rule that fits counts.
 *
 * Any key may ask which models there are, and see the figures of /metrics: neither holds anything of a patient.
 * Reading a run takes `evaluate`: its events hold a whole row of training data, and its errors paths of this machine.
 */
const rules: readonly Rule[] = [
  // A load balancer has no key.
  { path: '/health', reads: 'none', writes: 'admin' },
  { path: '/livez', reads: 'none', writes: 'admin' },
  { path: '/readyz', reads: 'none', writes: 'admin' },
  { path: '/metrics', reads: 'any', writes: 'admin' },
  { path: '/v1/*', reads: 'chat', writes: 'chat' },
  { path: '/ws/chat', reads: 'chat', writes: 'chat' },
  { path: '/tokenize', reads: 'chat', writes: 'chat' },
  { path: '/detokenize', reads: 'chat', writes: 'chat' },
  { path: '/apply-template', reads: 'chat', writes: 'chat' },
  { path: '/props', reads: 'chat', writes: 'admin' },
  { path: '/slots', reads: 'chat', writes: 'admin' },
  { path: '/openapi.json', reads: 'chat', writes: 'admin' },
  { path: '/api/evaluations*', reads: 'evaluate', writes: 'evaluate' },
  { path: '/api/runs*', reads: 'evaluate', writes: 'admin' },
  { path: '/api/models*', reads: 'any', writes: 'admin' },
];

/**
 * What a request must bring. `route` is the path that was registered, such as `/api/runs/:id`, so that no spelling of a URL
 * slips past a rule; undefined is a request that no route takes.
 */
export function demandOf(method: string, route: string | undefined): Demand {
  // Who has no key shall not learn which routes there are.
  if (route === undefined) return 'any';
  const rule = ruleOf(route);
  // A route that nobody thought of here is closed.
  if (rule === undefined) return 'admin';
  return method === 'GET' || method === 'HEAD' ? rule.reads : rule.writes;
}

/** Whether the table names a route. */
export function hasRule(route: string): boolean {
  return ruleOf(route) !== undefined;
}

function ruleOf(route: string): Rule | undefined {
  return rules.find(({ path }) => (path.endsWith('*') ? route.startsWith(path.slice(0, -1)) : route === path));
}
