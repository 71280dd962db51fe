/** Environment variables, by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where secrets come from that the configuration leaves out. */
export interface SecretSources {
  /** Environment variables, by name. */
  readonly environment: Environment
  /** Reads a file as text; throws when it cannot. */
  readonly readFile: (path: string) => string
}

export interface Filled {
  readonly filled: unknown
  /** Files that could not be read. */
  readonly problems: readonly string[]
}

/** Puts missing secrets into a configuration. What it holds itself goes first, then the variable, then the file. Pure. */
export function fillSecrets(config: unknown, { environment, readFile }: SecretSources): Filled {
  const problems: string[] = []

  function find(variable: string): string | undefined {
    const file = environment[`${variable}_FILE`]
    if (environment[variable] !== undefined || file === undefined) return environment[variable]
    try {
      // Editors end a file with a line break, and a secret does not.
      return readFile(file).replace(/\r?\n$/, '')
    } catch {
      problems.push(`${variable}_FILE names a file that cannot be read: ${file}`)
      return undefined
    }
  }

  function fill(part: Record<string, unknown>, key: string, variable: string): Record<string, unknown> {
    const value = part[key] ?? find(variable)
    return value === undefined ? part : { ...part, [key]: value }
  }

  function fillGrant(grant: unknown): unknown {
    if (!isRecord(grant)) return grant
    const name = String(grant.keyId).replaceAll(/[^A-Za-z0-9]/g, '_')
    return fill(grant, 'secret', `METERTAP_GRANT_SECRET_${name}`.toUpperCase())
  }

  if (!isRecord(config)) return { filled: config, problems }
  const { store, upstream, grants, admin } = config
  const filled = { ...config }
  if (isRecord(store) && store.sqlite === undefined) {
    filled.store = fill(store, 'postgres', 'METERTAP_POSTGRES_URL')
  }
  if (isRecord(upstream)) {
    const withId = fill(upstream, 'clientId', 'METERTAP_ZUORA_CLIENT_ID')
    filled.upstream = fill(withId, 'clientSecret', 'METERTAP_ZUORA_CLIENT_SECRET')
  }
  if (Array.isArray(grants)) filled.grants = grants.map(fillGrant)
  if (isRecord(admin)) filled.admin = fill(admin, 'key', 'METERTAP_ADMIN_KEY')
  else if (admin === undefined) {
    const key = find('METERTAP_ADMIN_KEY')
    if (key !== undefined) filled.admin = { key }
  }
  return { filled, problems }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
