/** The Bearer token of a request, or '' when there is none. The token format refuses what is no token. */
export function bearer(request: Request): string {
  return /^Bearer +([^\s]+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? ''
}
