import type { StoredEvent } from '../contract.ts'
import { columns, quoted, type Sql } from './sql.ts'

/** An event that the upstream will not have, and why. */
export interface Death {
  readonly event: StoredEvent
  readonly code: string
  readonly detail: string
  readonly needsEdit?: boolean
}

export interface DeadLetters {
  add(sql: Sql, deaths: readonly Death[], diedAtMs: number): Promise<void>
}

/** Upstreams answer with whole pages at times. */
const MAX_DETAIL_CHARS = 1_000

/** Events that the upstream will not have, in full and with the reason. */
export function createDeadLetters(schema: string): DeadLetters {
  const names = `tenant, account, device, stream, seq, meter, at_ms, data, received_at_ms, code, detail, needs_edit`
  const insert = `
    INSERT INTO ${quoted(schema)}.dead_letters (${names}, died_at_ms)
    SELECT ${names}, $13::int8
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::float8[], $8::text[],
      $9::int8[], $10::text[], $11::text[], $12::boolean[]) WITH ORDINALITY AS v(${names}, place) ORDER BY place`
  return {
    async add(sql, deaths, diedAtMs) {
      if (deaths.length === 0) return
      const given = columns(
        deaths,
        ({ event }) => event.tenant,
        ({ event }) => event.account,
        ({ event }) => event.device,
        ({ event }) => event.stream,
        ({ event }) => event.seq,
        ({ event }) => event.meter,
        ({ event }) => event.atMs,
        ({ event }) => event.data,
        ({ event }) => event.receivedAtMs,
        ({ code }) => code,
        // PostgreSQL's text holds every character but this one.
        ({ detail }) => detail.slice(0, MAX_DETAIL_CHARS).replaceAll('\0', '\uFFFD'),
        ({ needsEdit }) => needsEdit ?? false,
      )
      await sql(insert, [...given, diedAtMs])
    },
  }
}
