/** Halftone, as somebody sees it who has signed in. Knows nothing of the stage around it. */
import type { SessionInfo, SignedIn } from '../contract.ts'
import { backEnd } from './back-end.ts'
import { openBillPanel } from './bill-panel.ts'
import { byId, onClick, setText } from './dom.ts'
import { createUsage, type ProductUsage } from './product-usage.ts'
import { openStudio } from './studio.ts'

/** Resolves once somebody is signed in and the studio is open. */
export async function openProduct(): Promise<ProductUsage> {
  const session = await backEnd.session()
  const signedIn = session.user ? session : await signIn()
  return enter(signedIn, signedIn.user as SignedIn)
}

async function signIn(): Promise<SessionInfo> {
  byId('login').hidden = false
  const { promise, resolve } = Promise.withResolvers<SessionInfo>()
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-user]')) {
    button.addEventListener('click', async () => {
      const session = await backEnd.login(button.dataset.user ?? '')
      if (session.user) resolve(session)
    })
  }
  const session = await promise
  byId('login').hidden = true
  return session
}

function enter(session: SessionInfo, user: SignedIn): ProductUsage {
  const usage = createUsage(session, user)
  setText('user-face', initials(user.name))
  setText('user-name', user.name)
  setText('user-company', user.company)
  for (const id of ['who', 'studio']) byId(id).hidden = false
  openStudio(usage)
  openBillPanel(usage.own)
  onClick('logout', async () => {
    // What is not sent yet stays in the outbox, under this account's tag, for the next visit.
    await usage.agent.close()
    await backEnd.logout()
    location.reload()
  })
  return usage
}

function initials(name: string): string {
  return name.replace(/(\S)\S*\s*/g, '$1')
}
