import * as z from 'zod/mini'
import { MeshError, type DeviceId } from '../base/index.ts'
import { bytes, decode, deviceId, encode, exactBytes, list, text, whole } from '../wire/index.ts'
import { verifyBy, type DeviceKey } from './device-key.ts'
import { cleanName, NAME_MAX_LENGTH } from './names.ts'

/** Most devices one list names, removed ones included. */
export const ROSTER_MAX_DEVICES = 512
/** Largest list taken from another device, in bytes. */
export const ROSTER_MAX_BYTES = 256 * 1024

const CONTEXT = new TextEncoder().encode('plexus roster 1\n')

const rosterEntry = z.object({
  id: deviceId,
  name: text(NAME_MAX_LENGTH),
  kind: z.enum(['helper', 'browser']),
  role: z.enum(['owner', 'member']),
  person: text(NAME_MAX_LENGTH),
  admittedAt: whole(),
  admittedBy: deviceId,
  removedAt: z.nullable(whole()),
})

const rosterBody = z.object({
  issuer: deviceId,
  version: whole(),
  issuedAt: whole(),
  devices: list(rosterEntry, ROSTER_MAX_DEVICES),
})

/** The list and its signature as they travel and rest. */
export const signedRoster = z.object({ body: bytes(ROSTER_MAX_BYTES), signature: exactBytes(64) })

/** One device on the list. Removed ones stay on it, so that everyone knows. */
export type RosterEntry = z.output<typeof rosterEntry>
/** Who belongs to the mesh of one issuer; a higher version replaces a lower. */
export type Roster = z.output<typeof rosterBody>
/** A {@link Roster} as bytes with the issuer's Ed25519 signature. */
export type SignedRoster = z.output<typeof signedRoster>

/** Signs a list. The key must be the issuer's. @throws MeshError `refused` when nobody could take it for its size */
export async function signRoster(
  roster: Roster,
  key: DeviceKey,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<SignedRoster> {
  const body = encode(roster)
  // one that is kept and then not read again would lock this device out of its own mesh
  if (body.byteLength > ROSTER_MAX_BYTES) {
    throw new MeshError('refused', 'The list of devices is full. Remove a device first, or give devices shorter names.')
  }
  return { body, signature: await key.sign(withContext(body), options) }
}

/**
 * Opens a list that may come from anyone: the signature is checked before
 * anything in it is believed.
 * @throws MeshError `malformed`, `too-large`, `integrity`
 */
export async function openRoster(signed: SignedRoster): Promise<Roster> {
  const roster = decode(signed.body, rosterBody, { maxBytes: ROSTER_MAX_BYTES, what: 'A list of devices' })
  let genuine: boolean
  try {
    genuine = await verifyBy(roster.issuer, withContext(signed.body), signed.signature)
  } catch (error) {
    throw new MeshError('malformed', 'A list of devices names an issuer that is no device.', { cause: error })
  }
  if (!genuine)
    throw new MeshError('integrity', 'A list of devices is not signed by the device it names as its issuer.')
  return { ...roster, devices: roster.devices.map(withCleanNames) }
}

/** Whoever signs a list chooses the names on it: they are shown, so they are cleaned here and not only there. */
function withCleanNames(entry: RosterEntry): RosterEntry {
  return { ...entry, name: cleanName(entry.name) || 'Unnamed device', person: cleanName(entry.person) }
}

/** The entry of a device that is on the list and not removed. */
export function activeEntry(roster: Roster, id: DeviceId): RosterEntry | undefined {
  return roster.devices.find((entry) => entry.id === id && entry.removedAt === null)
}

/** The list with one entry put in or replaced: one version up. @throws MeshError `refused` when it is full. */
export function withEntry(roster: Roster, entry: RosterEntry, now: number): Roster {
  const others = roster.devices.filter((known) => known.id !== entry.id)
  const withDevices = (devices: RosterEntry[]): Roster => ({
    ...roster,
    version: roster.version + 1,
    issuedAt: now,
    devices: [...devices, entry],
  })
  let kept = others.length < ROSTER_MAX_DEVICES ? others : withoutOldestRemoved(others)
  // long names fill a list before its count does: the removed make room first
  while (kept.some((one) => one.removedAt !== null) && encode(withDevices(kept)).byteLength > ROSTER_MAX_BYTES)
    kept = withoutOldestRemoved(kept)
  return withDevices(kept)
}

function withoutOldestRemoved(devices: readonly RosterEntry[]): RosterEntry[] {
  const removed = devices
    .filter((entry) => entry.removedAt !== null)
    .sort((a, b) => (a.removedAt ?? 0) - (b.removedAt ?? 0))
  const [oldest] = removed
  if (oldest === undefined) {
    throw new MeshError('refused', `This mesh has its most devices, ${String(ROSTER_MAX_DEVICES)}. Remove one first.`)
  }
  return devices.filter((entry) => entry.id !== oldest.id)
}

function withContext(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(CONTEXT.byteLength + body.byteLength)
  message.set(CONTEXT)
  message.set(body, CONTEXT.byteLength)
  return message
}
