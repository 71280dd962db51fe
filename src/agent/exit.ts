import type { Outbox, Segment, Settled } from '../outbox/contract.ts'
import { classify } from '../transport/classify.ts'
import { EXIT_BUDGET_BYTES, type ExitCourier } from '../transport/exit.ts'
import type { StreamReport } from '../wire/contract.ts'
import { encodeBatch } from '../wire/encode-batch.ts'

export interface ExitOptions {
  readonly courier: ExitCourier
  readonly outbox: Outbox
  readonly device: string
  readonly now: () => number
  readonly onSettled: (settled: Settled) => void
}

/** Room for everything in the body that is neither event nor token. */
const ENVELOPE_BYTES = 2_048

function pick(segments: readonly Segment[], budgetBytes: number): Segment[] {
  const picked: Segment[] = []
  let bytes = ENVELOPE_BYTES
  for (const segment of segments) {
    // A segment costs its own envelope too: stream id, first number, braces.
    const cost = segment.bytes + 100
    if (bytes + cost > budgetBytes) continue
    bytes += cost
    picked.push(segment)
  }
  return picked
}

/**
 * What this agent stored and the relay has not confirmed, kept in memory so that it can be sent when there is no time
 * left to read the outbox. Holds no more than its couriers can carry.
 */
export class ExitMirror {
  readonly #segments = new Map<number, Segment>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(segment: Segment): void {
    // It could never leave this way, and would only push out those that can.
    if (segment.bytes > this.#maxBytes) return
    this.remove(segment.first)
    this.#segments.set(segment.first, segment)
    this.#bytes += segment.bytes
    for (const oldest of this.#segments.values()) {
      if (this.#bytes <= this.#maxBytes) return
      this.remove(oldest.first)
    }
  }

  remove(first: number): void {
    const segment = this.#segments.get(first)
    if (!segment) return
    this.#segments.delete(first)
    this.#bytes -= segment.bytes
  }

  clear(): void {
    this.#segments.clear()
    this.#bytes = 0
  }

  /** Sends what fits, but for `except` (by first number); the same segments do not go this way twice. */
  send(options: ExitOptions, report: StreamReport, token: string, except?: ReadonlySet<number>): void {
    const { courier } = options
    const segments = this.#pick(courier.freeBytes - token.length, except)
    if (segments.length === 0) return
    const sent = courier.send(encode(options, report, segments, token))
    if (!sent) return
    this.#forget(segments)
    // The outbox still has what could not be settled: it is sent again, and the relay knows it.
    sent.then((answer) => (answer ? settleExit(options, segments, report, answer) : undefined)).catch(() => {})
  }

  /** Leaves what did not fit to the browser, to send when the page is gone. Its answer is nobody's. */
  leaveBehind(options: ExitOptions, report: StreamReport, token: string): void {
    const segments = this.#pick(EXIT_BUDGET_BYTES - token.length)
    if (segments.length > 0 && options.courier.leaveBehind(encode(options, report, segments, token))) {
      this.#forget(segments)
    }
  }

  #pick(budgetBytes: number, except?: ReadonlySet<number>): Segment[] {
    return pick(
      [...this.#segments.values()].filter(({ first }) => !except?.has(first)),
      budgetBytes,
    )
  }

  #forget(segments: readonly Segment[]): void {
    for (const { first } of segments) this.remove(first)
  }
}

function encode(
  { now, device }: ExitOptions,
  report: StreamReport,
  segments: readonly Segment[],
  token: string,
): string {
  return encodeBatch({ sentAtMs: now(), device, reports: [report], segments }, token)
}

/** The page lived on: its answer is as good as any other. */
async function settleExit(
  { outbox, now, onSettled }: ExitOptions,
  segments: readonly Segment[],
  report: StreamReport,
  { status, body }: { status: number; body: string },
): Promise<void> {
  const outcome = classify({ status, body, retryAfter: null }, now())
  if (outcome.kind !== 'answered') return
  const { received, rejected, retry: deferred } = outcome.answer
  const claim = { segments, reports: [report], more: false }
  const settled = await outbox.settle({ claim, received, rejected, deferred, nowMs: now() })
  onSettled(settled)
}
