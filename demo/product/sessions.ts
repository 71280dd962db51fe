import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'

/** Somebody who can sign in. The account is who gets the bill. */
export interface User {
  readonly id: string
  readonly name: string
  readonly company: string
  readonly account: string
}

/** A real product would ask for more than a click; all that counts for metering is that the back end knows the user. */
const USERS: readonly User[] = [
  { id: 'ada', name: 'Ada Byron', company: 'Analytical Engines', account: 'acct-analytical-engines' },
  { id: 'grace', name: 'Grace Hopper', company: 'Harbor Press', account: 'acct-harbor-press' },
  { id: 'george', name: 'George Seurat', company: 'Studio Seurat', account: 'acct-studio-seurat' },
  { id: 'importer', name: 'Log importer', company: 'Web logs', account: 'acct-web-logs' },
]

export interface Session {
  readonly id: string
  /** Names the browser in the relay's ledger. */
  readonly device: string
  readonly user: User
}

/** Who is signed in, by the random id in the cookie. */
export interface Sessions {
  /** Undefined for a user that does not exist. */
  open(userId: string): Session | undefined
  find(id: string | undefined): Session | undefined
  end(id: string): void
}

export const SESSION_COOKIE = 'halftone_session'

/** Whoever sent this request. */
export function sessionOf(c: Context, sessions: Sessions): Session | undefined {
  return sessions.find(getCookie(c, SESSION_COOKIE))
}

export function createSessions(): Sessions {
  const sessions = new Map<string, Session>()
  return {
    open(userId) {
      const user = USERS.find(({ id }) => id === userId)
      if (!user) return undefined
      const session = { id: randomUUID(), device: `browser-${randomUUID().slice(0, 8)}`, user }
      sessions.set(session.id, session)
      return session
    },
    find: (id) => (id === undefined ? undefined : sessions.get(id)),
    end: (id) => void sessions.delete(id),
  }
}
