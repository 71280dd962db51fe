import type { Problem } from '../../../wire/contract.ts'

/** The relay refused, or could not be reached; the message is for the operator. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

type Method = 'GET' | 'POST' | 'PATCH'

/** One question to the relay; `path` below /console. Errors: Refusal. */
export async function ask<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json' }
  const init = { method, ...(body === undefined ? {} : { headers, body: JSON.stringify(body) }) }
  const response = await fetch(`/console${path}`, init).catch(() => {
    throw new Refusal(0, 'The relay cannot be reached.')
  })
  if (response.ok) return (await response.json()) as T
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>
  throw new Refusal(response.status, problem.detail ?? `The relay answered ${response.status}.`)
}
