export { createGrant, type GrantOptions } from './relay/tokens/grant.ts'
export { type GrantTokensOptions, grantTokens } from './relay/tokens/grant-tokens.ts'
export { MetertapError } from './wire/errors.ts'
