import type { Mood, OutboxStream, StageLook } from '../contract.ts'

async function post(path: string, body: unknown = {}): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`/stage/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`/stage/${path} answered ${response.status}: ${await response.text()}`)
  return response
}

/** The demo's process, as the stage's controls work it. Every method throws for an answer that is not 2xx. */
export const switchboard = {
  look: async (outbox: readonly OutboxStream[]): Promise<StageLook> => (await post('look', outbox)).json(),
  cutNetwork: (isCut: boolean) => post('network', { isCut }),
  killRelay: () => post('relay/kill'),
  startRelay: () => post('relay/start'),
  setMood: (mood: Mood) => post('upstream', { mood }),
}
