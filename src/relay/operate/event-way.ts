import type { LedgerRow, ParkedDelivery, RelayDeadLetter, StreamGaps } from '../store/contract.ts'

/** Where an event may be. `declared`: its agent gave it up and said so. `refused`: by this relay, at the door. */
export type EventState =
  | 'not_recorded'
  | 'missing'
  | 'declared'
  | 'refused'
  | 'deduplicated'
  | 'held'
  | 'on_its_way'
  | 'parked'
  | 'forwarded'
  | 'dead'
  | 'discarded'

/** One thing that happened, at a time or within one; without times: when is not known. */
export interface EventStep {
  readonly step: 'stream_begun' | 'recorded' | 'received' | 'dead' | 'parked'
  readonly atMs?: number
  readonly fromMs?: number
  readonly untilMs?: number
  readonly detail?: string
}

export interface EventWay {
  readonly tenant: string
  readonly account: string
  readonly device: string
  /** One: it is there. Several: the relay counts streams, and the counts leave these open. */
  readonly states: readonly EventState[]
  readonly steps: readonly EventStep[]
  readonly stream: LedgerRow
  readonly deadLetter?: RelayDeadLetter
}

/** What the store tells of one event's stream. */
export interface StreamFacts {
  readonly row: LedgerRow
  /** Absent: no number is missing. */
  readonly gaps: StreamGaps | undefined
  readonly letter: RelayDeadLetter | undefined
  /** Every dead letter of the stream was looked at. */
  readonly areLettersWhole: boolean
  readonly parked: ParkedDelivery | undefined
}

/** The gaps that a store names. */
const MAX_RANGES = 100

/** What is known of an event, from the counts and ranges of its stream. */
export function tellWay(seq: number, facts: StreamFacts): EventWay {
  const { row, letter } = facts
  const { tenant, account, device } = row
  const states = statesOf(seq, facts)
  return {
    ...{ tenant, account, device, states, steps: stepsOf(states, facts), stream: row },
    ...(letter === undefined ? {} : { deadLetter: letter }),
  }
}

function statesOf(seq: number, { row, gaps, letter, areLettersWhole, parked }: StreamFacts): EventState[] {
  if (letter !== undefined) return ['dead']
  if (seq >= row.recorded) return ['not_recorded']
  const open = gaps?.open ?? []
  const absent: EventState[] = sum(row.declared) > 0 ? ['missing', 'declared'] : ['missing']
  if (open.some(([from, to]) => from <= seq && seq <= to)) return absent
  if (parked !== undefined) return ['parked']
  const isBehindNamed = open.length >= MAX_RANGES && seq > (open.at(-1)?.[1] ?? 0)
  const { received, rejected, forwarded, dead, discarded, deduplicated, held } = row
  const onItsWay = received - forwarded - dead - discarded - deduplicated - held
  const possible: [EventState, boolean][] = [
    ['forwarded', forwarded > 0],
    ['on_its_way', onItsWay > 0],
    ['held', held > 0],
    ['deduplicated', deduplicated > 0],
    ['dead', dead > 0 && !areLettersWhole],
    ['discarded', discarded > 0],
    ['refused', rejected > 0],
    ...absent.map((state): [EventState, boolean] => [state, isBehindNamed]),
  ]
  return possible.flatMap(([state, isPossible]) => (isPossible ? [state] : []))
}

function stepsOf(states: readonly EventState[], { row, letter, parked }: StreamFacts): EventStep[] {
  const isReceived = states.every((state) => !['not_recorded', 'missing', 'declared', 'refused'].includes(state))
  const begunMs = timeOfUuid(row.stream)
  return [
    ...(begunMs === undefined ? [] : [{ step: 'stream_begun', atMs: begunMs } as const]),
    ...(letter === undefined ? [] : [{ step: 'recorded', atMs: letter.atMs } as const]),
    ...receivedSteps(isReceived, row, letter),
    ...(letter === undefined ? [] : [{ step: 'dead', atMs: letter.diedAtMs, detail: reasonOf(letter) } as const]),
    ...(parked === undefined ? [] : [{ step: 'parked', atMs: parked.parkedAtMs, detail: parked.reason } as const]),
  ]
}

function receivedSteps(isReceived: boolean, row: LedgerRow, letter: RelayDeadLetter | undefined): EventStep[] {
  if (!isReceived) return []
  if (letter !== undefined) return [{ step: 'received', atMs: letter.receivedAtMs }]
  return [{ step: 'received', fromMs: row.firstSeenMs, untilMs: row.lastSeenMs }]
}

const reasonOf = ({ code, detail }: RelayDeadLetter): string => `${code}: ${detail}`

/** A stream's id is a UUIDv7: it holds when the stream began, by the clock of its device. */
function timeOfUuid(id: string): number | undefined {
  const [, head, tail] = /^([\da-f]{8})-([\da-f]{4})-7/i.exec(id) ?? []
  return head === undefined ? undefined : Number.parseInt(`${head}${tail}`, 16)
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
