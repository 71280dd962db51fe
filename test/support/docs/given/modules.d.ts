/** The little that the pages use of frameworks that are not installed here: only its shape is checked, not its existence. */
declare module 'vue' {
  export interface App {
    provide<T>(key: InjectionKey<T>, value: T): this
    onUnmount(cleanup: () => void): void
  }
  export interface InjectionKey<T> {
    readonly [Symbol.toStringTag]: string
    readonly of?: T
  }
  export function inject<T>(key: InjectionKey<T>): T | undefined
  export function onMounted(hook: () => unknown): void
}
declare module 'svelte' {
  export function getContext<T>(key: unknown): T
  export function setContext<T>(key: unknown, value: T): T
  export function onMount(hook: () => unknown): void
}

/** As vite's own types have it. */
interface ImportMeta {
  readonly env: { readonly DEV: boolean }
}
