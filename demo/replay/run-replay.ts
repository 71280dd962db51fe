import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { meterIdOf } from '../world/meter-routes.ts'
import type { World } from '../world.ts'
import { type ReplayBrowser, startBrowser } from './browser.ts'
import { drive } from './drive.ts'
import { type Survey, surveyFile } from './file.ts'
import { createProgress, type Progress } from './progress.ts'
import { printTable, resultLine } from './report.ts'
import { agrees, type Tally, takeTally } from './tally.ts'

export interface ReplayOptions {
  /** NDJSON, one usage event a line. */
  readonly file: string
  /** Shows the browser's window. */
  readonly headed: boolean
  /** Ends the replay early; it then counts as failed. */
  readonly signal: AbortSignal
}

const POLL_MS = 250
const AGREE_TIMEOUT_MS = 120_000

/**
 * Replays a file through a real browser that is killed and cut off on the way, and compares the ends.
 * Progress goes to stderr; the table and, as the last line, the result go to stdout.
 *
 * Resolves with true when every figure agrees. Rejects when the file cannot be read or holds no usage event.
 */
export async function runReplay(world: World, options: ReplayOptions): Promise<boolean> {
  const { file } = options
  const survey = await surveyFile(file)
  if (survey.events === 0) throw new Error(`${file} holds no usage event.`)
  const progress = createProgress(survey.events, process.stderr)
  const { events, bytes, invalid, firstInvalid } = survey
  progress.tell(`${file}: ${events.toLocaleString('en')} usage events of ${bytes.toLocaleString('en')} bytes.`)
  if (invalid > 0) progress.tell(`${invalid} lines are no usage event, the first is line ${firstInvalid}.`)
  const tally = await replay(world, options, survey, progress)
  const last = tally ?? (await takeTally(world))
  const isOk = tally !== undefined && agrees(tally, survey)
  printTable(last, survey)
  console.log(resultLine(last, isOk))
  return isOk
}

/** The ends' figures when nothing moves any more; undefined when the replay failed on the way. */
async function replay(
  world: World,
  { file, headed, signal }: ReplayOptions,
  survey: Survey,
  progress: Progress,
): Promise<Tally | undefined> {
  const profile = await mkdtemp(join(tmpdir(), 'metertap-profile-'))
  const countUpstream = () => progress.upstream(world.zuora.ledger.totals(meterIdOf('web_requests')).billable)
  const watch = setInterval(countUpstream, POLL_MS)
  let browser: ReplayBrowser | undefined
  const start = async (): Promise<ReplayBrowser> => {
    browser = await startBrowser({ profile, url: `${world.pageUrl}/replay.html`, headed })
    signal.throwIfAborted()
    return browser
  }
  signal.addEventListener('abort', () => void browser?.close())
  try {
    const driven = await drive({ file, survey, start, tell: progress.tell, onDurable: progress.durable })
    const tally = await waitUntilStill(world, driven, survey)
    countUpstream()
    return tally
  } catch (error) {
    progress.tell(signal.aborted ? 'The replay was stopped.' : `The replay failed: ${(error as Error).message}`)
    return undefined
  } finally {
    clearInterval(watch)
    progress.stop()
    await browser?.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Asks along the events' way, browser first: where one stage was empty, the next one's figures are final. */
async function waitUntilStill(world: World, browser: ReplayBrowser, survey: Survey): Promise<Tally> {
  const deadlineMs = Date.now() + AGREE_TIMEOUT_MS
  let wasStill = false
  for (;;) {
    const { waiting } = await browser.look()
    const tally = await takeTally(world)
    const isStill = waiting === 0 && tally.queued === 0
    // Figures that disagree get a second look: the ledger's parts are read one after the other.
    if ((isStill && (wasStill || agrees(tally, survey))) || Date.now() > deadlineMs) return tally
    wasStill = isStill
    await delay(POLL_MS)
  }
}
