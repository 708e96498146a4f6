import * as z from 'zod'
import { operation, type HelperStatus, type LanState, type TrustReport } from '../operation.ts'

const nothing = z.strictObject({})

/** The token programs show to the gateway. */
export const token = operation<Record<string, never>, never, { token: string }>({
  name: 'token',
  input: nothing,
  run: (_input, { host }) => Promise.resolve({ token: host.token() }),
})

/** Opens the local network, closes it, or says which it is. */
export const lan = operation<{ open?: boolean | undefined }, never, LanState>({
  name: 'lan',
  input: z.object({ open: z.boolean().optional() }),
  run: (input, { host, signal }) =>
    input.open === undefined ? Promise.resolve(host.lan()) : host.setLan(input.open, { signal }),
})

/** What HTTPS is spoken with; makes the authority, or deletes it. */
export const trust = operation<{ authority?: boolean | undefined }, never, TrustReport>({
  name: 'trust',
  input: z.object({ authority: z.boolean().optional() }),
  run: (input, { host }) =>
    input.authority === undefined ? Promise.resolve(host.trust()) : host.setAuthority(input.authority),
})

/** The running helper in figures. */
export const status = operation<Record<string, never>, never, HelperStatus>({
  name: 'status',
  input: nothing,
  run: (_input, { host }) => Promise.resolve(host.status()),
})

/** Ends the helper. */
export const stop = operation<Record<string, never>, never, { pid: number }>({
  name: 'stop',
  input: nothing,
  run(_input, { host }) {
    host.requestStop()
    return Promise.resolve({ pid: host.status().pid })
  },
})
