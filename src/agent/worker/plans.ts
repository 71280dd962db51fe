import type { Sqlite, SqliteRow } from '../../sqlite/contract.ts'
import { newPlan, type Plan } from './plan.ts'

/** The plans of all accounts of one object, stored beside its events. */
export class Plans {
  readonly #db: Sqlite

  constructor(db: Sqlite) {
    this.#db = db
    db.exec(`CREATE TABLE IF NOT EXISTS metertap_plans (account TEXT PRIMARY KEY, due_at_ms REAL, plan TEXT NOT NULL);
      CREATE INDEX IF NOT EXISTS metertap_plans_due ON metertap_plans (due_at_ms)`)
  }

  of(account: string): Plan {
    const row = this.#db.prepare('SELECT plan FROM metertap_plans WHERE account = ?').get(account)
    return row ? planOf(row) : newPlan(account)
  }

  /** Writes it if it is another than before. */
  put(plan: Plan, before?: Plan): void {
    if (plan === before) return
    const dueAtMs = plan.pausedBy.length > 0 ? null : (plan.dueAtMs ?? null)
    this.#db
      .prepare('INSERT OR REPLACE INTO metertap_plans VALUES (?, ?, ?)')
      .run(plan.account, dueAtMs, JSON.stringify(plan))
  }

  all(): Plan[] {
    return this.#db.prepare('SELECT plan FROM metertap_plans ORDER BY account').all().map(planOf)
  }

  /** Those that are due by then, the longest waiting first; paused ones are never due. */
  due(byMs: number, limit: number): Plan[] {
    return this.#db
      .prepare('SELECT plan FROM metertap_plans WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?')
      .all(byMs, limit)
      .map(planOf)
  }

  get nextDueAtMs(): number | undefined {
    const atMs = this.#db.prepare('SELECT min(due_at_ms) AS at FROM metertap_plans').get()?.at
    return typeof atMs === 'number' ? atMs : undefined
  }
}

function planOf({ plan }: SqliteRow): Plan {
  return { dueAtMs: undefined, trouble: undefined, ...(JSON.parse(String(plan)) as Omit<Plan, 'dueAtMs' | 'trouble'>) }
}
