import { setText, whole } from '../../product/page/dom.ts'
import type { Verdict } from '../contract.ts'

/** Says it in one line: what was recorded is billed or waits, and nothing is doubled or missing. */
export function showVerdict(verdict: Verdict): void {
  const { doubled, missing } = verdict
  const isBad = doubled > 0 || (missing ?? 0) > 0
  const isDone = missing !== undefined && verdict.waitingHere + verdict.waitingRelay === 0
  setText('verdict', describe(verdict)).dataset.state = isBad ? 'bad' : isDone ? 'good' : 'waits'
}

function describe(verdict: Verdict): string {
  const { recorded, billed, dead, dropped, doubled, missing } = verdict
  const sum = [
    `${whole(billed)} billed`,
    `${whole(verdict.waitingHere + verdict.waitingRelay)} waiting${where(verdict)}`,
  ]
  if (dead > 0) sum.push(`${whole(dead)} dead letter${dead === 1 ? '' : 's'}`)
  if (dropped > 0) sum.push(`${whole(dropped)} dropped`)
  const lost = missing === undefined ? 'missing not known, the relay is dead' : `${whole(missing)} missing`
  return `${whole(recorded)} recorded = ${sum.join(' + ')} · ${whole(doubled)} doubled · ${lost}`
}

function where({ waitingHere, waitingRelay }: Verdict): string {
  const places: string[] = []
  if (waitingHere > 0) places.push(`${whole(waitingHere)} in this browser`)
  if (waitingRelay > 0) places.push(`${whole(waitingRelay)} in the relay`)
  return places.length > 0 ? ` (${places.join(', ')})` : ''
}
