import { HttpProblem } from '../problem.ts'

/**
 * Lets only the console's own page through. A cookie is sent to every port of a host, so SameSite alone would let in
 * whatever else runs there. Behind a proxy the scheme may differ: hosts are compared.
 *
 * Errors: HttpProblem forbidden.
 */
export function requireSameOrigin(request: Request): void {
  const site = request.headers.get('sec-fetch-site')
  const origin = request.headers.get('origin')
  const isForeign = site !== null && site !== 'same-origin'
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  // Every browser names the origin of what is no GET.
  const isOwn = origin === null ? isRead : hostOf(origin) === new URL(request.url).host
  if (isForeign || !isOwn) throw new HttpProblem('forbidden', 'Only the page of the console itself may ask this.')
}

function hostOf(origin: string): string {
  return URL.parse(origin)?.host ?? ''
}
