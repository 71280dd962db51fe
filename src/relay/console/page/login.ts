import { ask } from './ask.ts'
import { el } from './dom.ts'

/** The form that asks for the admin key; the key goes to the relay once and is kept nowhere. */
export function showLogin(main: HTMLElement, onSignedIn: () => void): void {
  const key = el('input', {
    ...{ id: 'key', name: 'key', type: 'password', autocomplete: 'current-password' },
    ...{ required: true, spellcheck: 'false', 'aria-describedby': 'login-problem' },
  })
  const problem = el('p', { id: 'login-problem', class: 'problem', role: 'alert' })
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await ask('POST', '/login', { key: key.value })
      key.value = ''
      onSignedIn()
    } catch (error) {
      problem.textContent = (error as Error).message
      key.select()
      key.focus()
    }
  }
  main.replaceChildren(
    el(
      'form',
      { class: 'login', onsubmit: (event) => void submit(event) },
      el('h1', {}, 'Sign in'),
      // For password managers: a key has no name.
      el('input', { type: 'text', name: 'username', autocomplete: 'username', value: 'operator', hidden: true }),
      el('label', { for: 'key' }, 'Admin key'),
      key,
      el('p', { class: 'quiet' }, 'The key is sent to this relay alone; this browser keeps a session for eight hours.'),
      el('button', { type: 'submit', class: 'main' }, 'Sign in'),
      problem,
    ),
  )
  key.focus()
}
