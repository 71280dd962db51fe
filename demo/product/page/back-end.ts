import type { BillInfo, SessionInfo } from '../contract.ts'

async function call(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, init)
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response
}

/** Halftone's own back end. Every method throws for an answer that is not 2xx. */
export const backEnd = {
  session: async (): Promise<SessionInfo> => (await call('/api/session')).json(),
  login: async (user: string): Promise<SessionInfo> =>
    (await call('/api/login', { method: 'POST', body: user })).json(),
  logout: () => call('/api/logout', { method: 'POST' }),
  usageToken: async (): Promise<string> => (await call('/usage-token')).text(),
  bill: async (): Promise<BillInfo> => (await call('/api/bill')).json(),
}
