import { setTimeout as delay } from 'node:timers/promises'
import type { ReplayBrowser } from './browser.ts'
import { type FileLine, readChunks, type Survey } from './file.ts'

export interface DriveOptions {
  readonly file: string
  readonly survey: Survey
  /** Starts Chromium, always on the same profile. */
  readonly start: () => Promise<ReplayBrowser>
  /** Takes one sentence about something that happened. */
  readonly tell: (story: string) => void
  /** Takes how many usage events are durable in the browser by now. */
  readonly onDurable: (events: number) => void
}

/** Where the browser was killed. */
interface Kill {
  readonly from: number
  readonly to: number
  /** Receipts that had said "durable" before the kill. */
  readonly durableReceipts: number
}

const MAX_CHUNK_LINES = 200
const MIN_CHUNKS = 50
/** Feeding takes about this long, so that there is something to cut and to watch; a huge file takes longer. */
const FEED_MS = 10_000
const CUT_MS = 4_000

/**
 * Feeds the whole file to the page: kills the browser at a third, cuts the network at half.
 * Resolves with the browser, on line, when every usage event of the file is durable.
 *
 * Rejects when an event is lost whose receipt was durable, or when the page cannot store events.
 */
export async function drive(options: DriveOptions): Promise<ReplayBrowser> {
  const { tell, onDurable } = options
  const killed = await feedUntilKill(options, await options.start())
  const browser = await options.start()
  const { recorded } = await browser.look()
  const text = (count: number): string => count.toLocaleString('en')
  tell(
    `Browser killed with SIGKILL in the middle of the lines ${text(killed.from)}–${text(killed.to)}. On the same ` +
      `profile ${text(recorded)} events are durable (${text(killed.durableReceipts)} receipts had said so): resuming there.`,
  )
  if (recorded < killed.durableReceipts) throw new Error('Events were lost whose receipts were durable.')
  onDurable(recorded)
  await feedWithCut(options, browser, recorded)
  return browser
}

async function feedUntilKill(options: DriveOptions, browser: ReplayBrowser): Promise<Kill> {
  const killAt = Math.floor(options.survey.events / 3)
  let durable = 0
  for await (const chunk of chunksFrom(options, 0)) {
    const events = countEvents(chunk)
    if (durable + events > killAt) {
      const durableReceipts = durable + (await browser.feedAndKill(texts(chunk)))
      return { from: chunk[0]?.number ?? 0, to: chunk.at(-1)?.number ?? 0, durableReceipts }
    }
    durable = await feed(options, browser, chunk, durable)
  }
  throw new Error(`${options.file} has become shorter since it was surveyed.`)
}

async function feedWithCut(options: DriveOptions, browser: ReplayBrowser, from: number): Promise<void> {
  const cutAt = Math.floor(options.survey.events / 2)
  let durable = from
  let cut: Promise<void> | undefined
  try {
    for await (const chunk of chunksFrom(options, from)) {
      if (durable + countEvents(chunk) > cutAt) cut ??= cutNetwork(options, browser, chunk[0]?.number ?? 0)
      durable = await feed(options, browser, chunk, durable)
    }
  } finally {
    await cut
  }
}

async function cutNetwork({ tell }: DriveOptions, browser: ReplayBrowser, line: number): Promise<void> {
  await browser.setOffline(true)
  tell(`Network cut at line ${line.toLocaleString('en')}, for ${CUT_MS / 1_000} s; recording goes on.`)
  await delay(CUT_MS)
  const { waiting } = await browser.look()
  await browser.setOffline(false)
  tell(`Network back; ${waiting.toLocaleString('en')} events had gathered on disk.`)
}

async function feed(
  { survey, onDurable }: DriveOptions,
  browser: ReplayBrowser,
  chunk: readonly FileLine[],
  before: number,
): Promise<number> {
  await browser.feed(texts(chunk))
  const durable = before + countEvents(chunk)
  onDurable(durable)
  await delay((FEED_MS * countEvents(chunk)) / survey.events)
  return durable
}

function chunksFrom({ file, survey }: DriveOptions, skipEvents: number): AsyncGenerator<FileLine[]> {
  return readChunks(file, skipEvents, Math.min(MAX_CHUNK_LINES, Math.ceil(survey.events / MIN_CHUNKS)))
}

function countEvents(chunk: readonly FileLine[]): number {
  return chunk.filter(({ bytes }) => bytes !== undefined).length
}

function texts(chunk: readonly FileLine[]): string[] {
  return chunk.map(({ text }) => text)
}
