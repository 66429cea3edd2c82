import { quoteForShell } from './shell-quote.ts';

/** Reads the program and the request from stdin, so that neither stands in an argument list, on this machine or there. */
const bootstrap =
  'import sys,json;i=sys.stdin.buffer;r=json.loads(i.readline());g={"__name__":"osler_host"};exec(compile(r.pop("code"),"osler_host","exec"),g);g["main"](r,i,sys.stdout.buffer)';

/**
 * Command line for the host's login shell: its Python, isolated from its user's settings, waiting for a program.
 *
 * @param python path or name; `~/…` is below the home folder there, as is a relative path
 */
export function hostCommand(python: string): string {
  const words = quoteForShell(['-I', '-S', '-c', bootstrap]);
  const interpreter = python.startsWith('~/') ? `"$HOME"/${quoteForShell([python.slice(2)])}` : quoteForShell([python]);
  return `exec ${interpreter} ${words}`;
}
