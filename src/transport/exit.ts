/** Browsers let keepalive requests hold 64 KiB in flight altogether (Fetch standard, 4.6); some room is left for others. */
export const EXIT_BUDGET_BYTES: number = 60 * 1024

export interface ExitCourierOptions {
  readonly fetch: typeof globalThis.fetch
  /** An extra courier for what exceeds the keepalive budget: it has a quota of its own. */
  readonly fetchLater?: ((url: string, init: RequestInit) => unknown) | undefined
  readonly url: string
  readonly utf8Length: (text: string) => number
}

export interface ExitCourier {
  readonly freeBytes: number
  /** Sends if it fits the budget. Resolves with the answer's status and text if the page lives to see them. */
  send(body: string): Promise<{ status: number; body: string } | undefined> | undefined
  /** Gives the body to fetchLater(), where there is one; false when it was not taken. */
  leaveBehind(body: string): boolean
}

/**
 * The last request of a page: keepalive, text/plain with the token inside, so that no CORS preflight has to be
 * answered first. A bonus: what does not get out stays in the outbox.
 */
export function createExitCourier({ fetch, fetchLater, url, utf8Length }: ExitCourierOptions): ExitCourier {
  let inFlightBytes = 0

  const headers = { 'content-type': 'text/plain;charset=UTF-8' }

  const post = async (body: string, bytes: number) => {
    inFlightBytes += bytes
    try {
      const response = await fetch(url, { method: 'POST', keepalive: true, body, headers, redirect: 'error' })
      // Read to its end: an unread body keeps its share of the browser's budget for seconds.
      return { status: response.status, body: await response.text() }
    } catch {
      return undefined
    } finally {
      inFlightBytes -= bytes
    }
  }

  return {
    get freeBytes() {
      return EXIT_BUDGET_BYTES - inFlightBytes
    },
    send(body) {
      const bytes = utf8Length(body)
      return bytes <= EXIT_BUDGET_BYTES - inFlightBytes ? post(body, bytes) : undefined
    },
    leaveBehind(body) {
      try {
        fetchLater?.(url, { method: 'POST', body, headers, redirect: 'error' })
        return fetchLater !== undefined
      } catch {
        // Its quota is used up, or a policy forbids it.
        return false
      }
    },
  }
}
