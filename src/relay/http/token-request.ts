import * as z from 'zod/mini'

export type TokenRequest =
  | { readonly grant: string }
  | { readonly session: string; readonly device?: string | undefined }

/** The body of POST /v1/token: a grant of the application's back end, or a session JWT of the application's own. */
export const tokenRequest: z.ZodMiniType<TokenRequest> = z.union([
  z.strictObject({ grant: z.string() }),
  z.strictObject({ session: z.string(), device: z.optional(z.string()) }),
])
