/** The only version of the wire that this code speaks. */
export const WIRE_VERSION = 1
