/** `npm run demo [-- --help]`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runReplay } from './replay/run-replay.ts'
import { startWorld, type World } from './world.ts'

const HELP = `npm run demo -- [options]

Starts a stand-in for Zuora Mediation, a relay and Halftone, a small product whose usage is metered.

  --port PORT     Port of the product page (default: 4600, or any free one if that is taken).
  --data FOLDER   Keep the relay's database in this folder (default: a temporary one).
  --replay FILE   Drive it with a headless Chromium over an NDJSON file, one usage event a line:
                  {"at": "2015-05-17T10:05:03.000Z", "visitor": …, "method": …, "path": …,
                  "status": …, "bytes": …, "browser": …}. Kills the browser and cuts the network on
                  the way. The last line of the output is the result; the exit status is 0 only when
                  every figure agrees.
  --headed        With --replay: show the browser's window.
  --help          Show this.`

const DEFAULT_PORT = 4600

interface Options {
  readonly port: number | undefined
  readonly data: string | undefined
  readonly replay: string | undefined
  readonly headed: boolean
}

/** Undefined when only help was asked for. Throws for options that cannot be. */
function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string' },
      data: { type: 'string' },
      replay: { type: 'string' },
      headed: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { port, data, replay, headed } = values
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) <= 65_535)) {
    throw new Error(`--port ${port} is no port: give a number from 0 to 65535.`)
  }
  if (replay !== undefined && data !== undefined && existsSync(join(data, 'relay.db'))) {
    throw new Error(`--data ${data} holds earlier events, which would count as the replay's: give an empty folder.`)
  }
  return { port: port === undefined ? undefined : Number(port), data, replay, headed }
}

async function openWorld({ port, data, replay }: Options): Promise<World> {
  const folder = data === undefined ? {} : { dataFolder: data }
  try {
    return await startWorld({ ...folder, port: port ?? (replay === undefined ? DEFAULT_PORT : 0) })
  } catch (error) {
    if (port !== undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return await startWorld(folder)
  }
}

function printAddresses({ pageUrl, gate, zuora, adminUrl, adminKey }: World): void {
  console.log(`product page   ${pageUrl}`)
  console.log(`relay          ${gate.url}`)
  console.log(`console        ${adminUrl}/console  (key: ${adminKey})`)
  console.log(`Zuora stand-in ${zuora.url}  (what it holds: ${zuora.url}/_standin/ledger)`)
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (!options) return console.log(HELP)
  const stop = new AbortController()
  // Not once(): libraries that find no other listener left would raise the signal again and end the process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  const world = await openWorld(options)
  try {
    printAddresses(world)
    if (options.replay === undefined) {
      console.log('Press Ctrl-C to stop.')
      await untilAborted(stop.signal)
    } else {
      const { replay: file, headed } = options
      process.exitCode = (await runReplay(world, { file, headed, signal: stop.signal })) ? 0 : 1
    }
  } finally {
    await world.close()
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) return
  signal.addEventListener('abort', () => resolve())
  await promise
}

try {
  await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
