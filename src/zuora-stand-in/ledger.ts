import { MeterBook } from './book.ts'
import type { AuditEntry, CallRecord, Ledger, LedgerSnapshot, MeterOptions } from './contract.ts'

/** The ledger with its writing side, for the stand-in itself. */
export interface WritableLedger extends Ledger {
  book(meterId: string): MeterBook | undefined
  noteCall(call: CallRecord): void
  noteAudit(entry: AuditEntry): void
  noteOddity(name: string): void
  noteTokenRequest(): void
  noteTokenGrant(): void
}

export interface LedgerOptions {
  readonly keepRows: boolean
  readonly keepCalls: number
  readonly keepAudit: number
}

/** Throws TypeError for a meter whose key fields are not required fields: nothing could be counted by them. */
export function createLedger(meters: readonly MeterOptions[], options: LedgerOptions): WritableLedger {
  for (const meter of meters) checkMeter(meter)
  const openBooks = (): Map<string, MeterBook> =>
    new Map(meters.map((meter) => [meter.id, new MeterBook(meter, options.keepRows)]))
  const state = { books: openBooks(), ...emptyNotes() }
  const bookOf = (meterId: string): MeterBook => {
    const book = state.books.get(meterId)
    if (!book) throw new RangeError(`No meter ${meterId} is configured.`)
    return book
  }
  const totals = (meterId: string) => bookOf(meterId).totals()
  return {
    totals,
    events: (meterId) => bookOf(meterId).events(),
    has: (meterId, uniqueValue) => bookOf(meterId).has(uniqueValue),
    calls: (meterId) => ofMeter(state.calls, meterId),
    audit: (meterId) => ofMeter(state.audit, meterId),
    get tokenRequests() {
      return state.tokenRequests
    },
    get tokenGrants() {
      return state.tokenGrants
    },
    get oddities() {
      return { ...state.oddities }
    },
    snapshot(): LedgerSnapshot {
      const { tokenRequests, tokenGrants, oddities, calls } = state
      const perMeter = Object.fromEntries(meters.map(({ id }) => [id, totals(id)]))
      return { tokenRequests, tokenGrants, oddities: { ...oddities }, meters: perMeter, calls: [...calls] }
    },
    reset() {
      Object.assign(state, { books: openBooks(), ...emptyNotes() })
    },
    book: (meterId) => state.books.get(meterId),
    noteCall(call) {
      state.books.get(call.meter)?.noteCall(call)
      pushBounded(state.calls, call, options.keepCalls)
    },
    noteAudit: (entry) => pushBounded(state.audit, entry, options.keepAudit),
    noteOddity(name) {
      state.oddities[name] = (state.oddities[name] ?? 0) + 1
    },
    noteTokenRequest: () => void state.tokenRequests++,
    noteTokenGrant: () => void state.tokenGrants++,
  }
}

interface Notes {
  calls: CallRecord[]
  audit: AuditEntry[]
  oddities: Record<string, number>
  tokenRequests: number
  tokenGrants: number
}

function emptyNotes(): Notes {
  return { calls: [], audit: [], oddities: {}, tokenRequests: 0, tokenGrants: 0 }
}

function checkMeter({ id, fields, deduplicator, uniqueField }: MeterOptions): void {
  for (const field of [deduplicator?.field, uniqueField]) {
    if (field === undefined) continue
    const rule = Object.hasOwn(fields, field) ? fields[field] : undefined
    if (!rule || rule.required === false) throw new TypeError(`Meter ${id}: ${field} must be a required field.`)
  }
}

function ofMeter<T extends { readonly meter: string }>(list: readonly T[], meterId: string | undefined): T[] {
  return meterId === undefined ? [...list] : list.filter(({ meter }) => meter === meterId)
}

function pushBounded<T>(list: T[], item: T, max: number): void {
  list.push(item)
  if (list.length > max) list.shift()
}
