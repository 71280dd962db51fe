import { randomUUID } from 'node:crypto'

/** Somebody who can log in. The account is who gets the bill. */
export interface User {
  readonly id: string
  readonly name: string
  readonly account: string
}

/** A real product would ask for more than a click; all that counts for metering is that the back end knows the user. */
const USERS: readonly User[] = [
  { id: 'ada', name: 'Ada', account: 'acct-analytical-engines' },
  { id: 'grace', name: 'Grace', account: 'acct-harbor-press' },
  { id: 'importer', name: 'Log importer', account: 'acct-web-logs' },
]

export interface Session {
  readonly id: string
  /** Names the browser in the relay's ledger. */
  readonly device: string
  readonly user: User
}

/** Who is logged in, by the random id in the cookie. */
export interface Sessions {
  /** Undefined for a user that does not exist. */
  open(userId: string): Session | undefined
  find(id: string | undefined): Session | undefined
  end(id: string): void
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
