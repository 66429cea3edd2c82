/**
 * Whether a page of this origin may open a socket: browsers do not hold websockets to the same-origin rule, so the server must.
 * Programs send no origin and may.
 */
export function isOriginAllowed(origin: string | undefined, host: string, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  // The same scheme on both sides, so that a default port may be written out or left out.
  const own = `${page.protocol}//${host}`;
  return page.host !== '' && URL.canParse(own) && page.host === new URL(own).host;
}
