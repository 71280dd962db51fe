/** What the test's process says to the one that plays Electron's main process. */
export type ToMain =
  | { readonly kind: 'open'; readonly window: number; readonly origin: string; readonly url: string }
  | { readonly kind: 'call'; readonly window: number; readonly id: number; readonly message: unknown }
  | { readonly kind: 'gone'; readonly window: number; readonly how: 'crash' | 'close' }
  | { readonly kind: 'flush'; readonly id: number }
  | { readonly kind: 'quit' }

export type FromMain =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly text: string }

export interface MainSetup {
  readonly userData: string
  readonly relay: string
  readonly allowedOrigins: readonly string[]
}
