import { CONSOLE_TYPES, type ConsoleFileName, type ConsoleFiles } from '../console/files.ts'

/** A binding of static assets. */
interface Assets {
  fetch(request: Request): Promise<Response>
}

const BINDING = 'USAGE_CONSOLE'

/** Reads the console's files from the Worker's static assets; undefined where there is no binding for them. */
export function findConsoleFiles(env: object): (() => Promise<ConsoleFiles>) | undefined {
  const assets = (env as Record<string, unknown>)[BINDING] as Assets | undefined
  if (typeof assets?.fetch !== 'function') return undefined

  async function read(name: ConsoleFileName): Promise<string> {
    const response = await (assets as Assets).fetch(new Request(`https://assets.invalid/${name}`))
    if (response.ok) return await response.text()
    throw new Error(`${BINDING} has no ${name}: its directory must be metertap's dist/console.`)
  }

  return async () => {
    const names = Object.keys(CONSOLE_TYPES) as ConsoleFileName[]
    const files = names.map(async (name) => [name, { type: CONSOLE_TYPES[name], text: await read(name) }] as const)
    return Object.fromEntries(await Promise.all(files)) as ConsoleFiles
  }
}
