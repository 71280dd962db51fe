import { join } from 'node:path'
import type { Engine } from '../support/engines.ts'
import { Book } from './cell/book.ts'
import { judge } from './cell/judge.ts'
import { Stage } from './cell/stage.ts'
import type { CellResult, Moment } from './contract.ts'
import { Browser } from './engines/browser.ts'
import { type EngineDriver, SkipCell } from './engines/contract.ts'
import type { Scenario } from './scenarios/contract.ts'
import { startProxy } from './server/proxy.ts'
import type { World } from './server/world.ts'

export interface Cell {
  readonly scenario: Scenario
  readonly moment: Moment
}

export interface EngineRun {
  readonly engine: Engine
  readonly driver: EngineDriver
  readonly world: World
  readonly cells: readonly Cell[]
  readonly onResult: (result: CellResult) => void
}

const NOTHING = {
  recorded: 0,
  durable: 0,
  refused: 0,
  received: 0,
  lost: 0,
  lostDurable: 0,
  doubled: 0,
  resent: 0,
  requests: 0,
}

/** A cell that was not run, with the reason. */
export function skipped(engine: Engine, { scenario, moment }: Cell, reason: string): CellResult {
  return { engine, scenario: scenario.name, moment, outcome: 'skipped', ...NOTHING, durationMs: 0, notes: [reason] }
}

function accountOf(engine: Engine, scenario: string, moment: Moment): string {
  return `${engine}-${scenario}-${moment}`.replaceAll(' ', '-')
}

/** A cell that could not be played to its end. */
function broken(engine: Engine, cell: Cell, reason: string): CellResult {
  return { ...skipped(engine, cell, reason), outcome: 'failed' }
}

async function runCell(run: EngineRun, browser: Browser, cell: Cell): Promise<CellResult> {
  const { engine, world } = run
  const { scenario, moment } = cell
  const name = accountOf(engine, scenario.name, moment)
  const startedMs = performance.now()
  const proxy = await startProxy(world.relay.url)
  const book = new Book()
  try {
    await scenario.run(new Stage({ engine, browser, proxy, book, world, name }), moment)
  } catch (error) {
    if (error instanceof SkipCell) return skipped(engine, cell, error.message)
    book.problem((error as Error).message)
  } finally {
    await proxy.close()
  }
  const billed = await world.relay.billed(name)
  const ledger = await world.relay.ledger(name)
  const duplicates = world.relay.duplicates(name)
  const verdict = judge({ book, billed, ledger, duplicates, requests: proxy.arrivalsMs.length })
  const durationMs = Math.round(performance.now() - startedMs)
  return { engine, scenario: scenario.name, moment, ...verdict, durationMs }
}

/** Starts the browser if it is not running, and plays the cell; whatever breaks becomes the cell's result. */
async function attempt(run: EngineRun, browser: Browser, cell: Cell): Promise<CellResult> {
  try {
    if (!browser.running) await browser.start()
    return await runCell(run, browser, cell)
  } catch (error) {
    if (error instanceof SkipCell) return skipped(run.engine, cell, error.message)
    return broken(run.engine, cell, (error as Error).message)
  }
}

async function runOn(run: EngineRun, storage: 'plain' | 'small', cells: readonly Cell[]): Promise<void> {
  const { driver, engine, world } = run
  const { origin, switchboard } = world
  const profile = join(world.folder, `${engine}-${storage}`)
  const browser = new Browser({ driver, profile, origin, switchboard, smallStorage: storage === 'small' })
  try {
    for (const cell of cells) {
      const result = await attempt(run, browser, cell)
      run.onResult(result)
      // What one cell left behind must not cost those that follow.
      if (result.outcome === 'failed') await browser.close()
    }
  } finally {
    await browser.close()
  }
}

/** All cells of one engine, one after the other, on one browser for each kind of storage. */
export async function runEngine(run: EngineRun): Promise<void> {
  const isSmall = ({ scenario }: Cell) => scenario.storage === 'small'
  await runOn(
    run,
    'plain',
    run.cells.filter((cell) => !isSmall(cell)),
  )
  await runOn(run, 'small', run.cells.filter(isSmall))
  await run.driver.dispose?.()
}

/** Looks again when all is over: a request that came late may have doubled an event since. */
export async function recheck(world: World, result: CellResult): Promise<CellResult> {
  const { engine, scenario, moment, doubled } = result
  const billed = await world.relay.billed(accountOf(engine, scenario, moment))
  const late = [...billed.values()].reduce((sum, times) => sum + times - 1, -doubled)
  if (late === 0) return result
  return {
    ...result,
    outcome: 'failed',
    doubled: doubled + late,
    notes: [...result.notes, `${late} events doubled late`],
  }
}
