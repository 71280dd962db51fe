/** `npm run demo [-- --help]`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runReplay } from './replay/run-replay.ts'
import { takeShots } from './shots/take-shots.ts'
import { type Stage, startStage } from './stage/start-stage.ts'
import type { WorldOptions } from './world/open-world.ts'
import { startWorld } from './world.ts'

const HELP = `npm run demo -- [options]

Starts a stand-in for Zuora Mediation, a relay and Halftone, a small product whose usage is metered, with the inspector
at its side and controls to break things with.

  --port PORT     Port of the product page (default: 4600, or any free one if that is taken).
  --data FOLDER   Keep the relay's database in this folder (default: a temporary one).
  --replay FILE   Drive it with a headless Chromium over an NDJSON file, one usage event a line:
                  {"at": "2015-05-17T10:05:03.000Z", "visitor": …, "method": …, "path": …,
                  "status": …, "bytes": …, "browser": …}. Kills the browser and cuts the network on
                  the way. The last line of the output is the result; the exit status is 0 only when
                  every figure agrees.
  --shots FOLDER  Play it in a headless Chromium, and write the README's pictures into this folder.
  --headed        With --replay: show the browser's window.
  --help          Show this.`

const DEFAULT_PORT = 4600

interface Options {
  readonly port: number | undefined
  readonly data: string | undefined
  readonly replay: string | undefined
  readonly shots: string | undefined
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
      shots: { type: 'string' },
      headed: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { port, data, replay, shots, headed } = values
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) <= 65_535)) {
    throw new Error(`--port ${port} is no port: give a number from 0 to 65535.`)
  }
  if (replay !== undefined && data !== undefined && existsSync(join(data, 'relay.db'))) {
    throw new Error(`--data ${data} holds earlier events, which would count as the replay's: give an empty folder.`)
  }
  return { port: port === undefined ? undefined : Number(port), data, replay, shots, headed }
}

/** Opens on the port that was asked for, else on the usual one, else on any that is free. */
async function open<W>(
  { port, data }: Options,
  usual: number,
  start: (options: WorldOptions) => Promise<W>,
): Promise<W> {
  const folder = data === undefined ? {} : { dataFolder: data }
  try {
    return await start({ ...folder, port: port ?? usual })
  } catch (error) {
    if (port !== undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return await start(folder)
  }
}

function greet({ pageUrl, relay, adminKey, gate, zuora }: Stage): void {
  console.log(`
  Halftone runs: ${pageUrl}

  Try, in this order:
  1. Sign in, paint, export. The inspector at its side follows every event, the bill follows Zuora.
  2. Go offline, record 1,000, close the tab, open it again, go online: recorded = billed, 0 doubled, 0 missing.
  3. Open 5 tabs and kill the relay while they work. Another one starts by itself, and the line comes out again.
  4. Let Zuora lose half its answers. Let it refuse WebP, export one, and replay the dead letter in the console.

  console   ${relay.adminUrl}/console
  its key   ${adminKey}
  relay     ${gate.url}
  Zuora     ${zuora.url}/_standin/ledger  (the stand-in's: what would be billed)

  Ctrl-C ends it.
`)
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (!options) return console.log(HELP)
  const stop = new AbortController()
  // Not once(): libraries that find no other listener left would raise the signal again and end the process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  if (options.replay !== undefined) return replay(options, options.replay, stop.signal)
  const { shots } = options
  await using stage = await open(options, shots === undefined ? DEFAULT_PORT : 0, startStage)
  if (shots !== undefined) return await takeShots(stage, shots, console.log)
  greet(stage)
  await untilAborted(stop.signal)
}

async function replay(options: Options, file: string, signal: AbortSignal): Promise<void> {
  await using world = await open(options, 0, startWorld)
  console.log(`Zuora's stand-in holds it all: ${world.zuora.url}/_standin/ledger`)
  process.exitCode = (await runReplay(world, { file, headed: options.headed, signal })) ? 0 : 1
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
