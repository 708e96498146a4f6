import * as z from 'zod/mini'
import {
  getWhole,
  LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
  MeshError,
  type Clock,
  type Logger,
  type Store,
} from '../../mesh/base/index.ts'
import type { DeviceView, Mesh } from '../../mesh/mesh-types.ts'
import type { InvitationLine } from '../../mesh/people-types.ts'

/** Passes that are open at once: each waits for a person's word about one guest. */
export const PASSES_MAX = 2
/**
 * Passes of a day that brought nobody yet, open ones among them; then there is none until one
 * is older. Each stays in the ledger for good, on the account of this helper's person, and
 * whoever is on the network asks for them: no more than a day adds to that account.
 */
export const PASSES_IN_VAIN_MAX = LEDGER_ALLOWANCE_ENTRIES_PER_DAY
const DAY_MS = 24 * 60 * 60_000
/** Until so shortly before its end a pass is given to the next visitor too, in ms. */
const PASS_LEFT_MS = 10 * 60_000
const PASSES_KEY = 'guests/passes'

const Pass = z.object({ invitation: z.string().check(z.maxLength(128)), fragment: z.string(), expiresAt: z.number() })
type Pass = z.infer<typeof Pass>
/**
 * How long a guest keeps its place after it was last seen, in ms: one hour. Its identity
 * went with its page, so it cannot come back; a phone that sleeps for a while does.
 */
export const GUEST_GONE_MS = 60 * 60_000
/** How often it is looked who is gone, in ms. */
const LOOK_MS = 5 * 60_000
/** The person a guest comes as. What it calls itself is the name of its device. */
const GUEST_NAME = 'Guest'

/** What letting guests in stands on. */
export interface GuestsPorts {
  readonly mesh: Pick<Mesh, 'self' | 'people' | 'devices' | 'invitations' | 'invite' | 'pendingJoins' | 'removePerson'>
  readonly store: Pick<Store, 'get' | 'put'>
  readonly clock: Clock
  readonly log: Logger
  /** Whether the person of this helper wants guests, and the network they would come from is open. */
  areWanted(): boolean
}

/** The guests of one helper. */
export interface Guests {
  /** Whether a visitor may ask: guests are wanted, and an owner's device may invite them. */
  areLetIn(): boolean
  /**
   * An invitation for a guest, to be allowed by comparing pictures: the fragment of a link. Visitors
   * get the same one until somebody waits by it: what a stranger asks for must not grow the ledger.
   * @throws MeshError `refused` (they are not let in), `busy` (too many wait), and of `Mesh.invite`
   */
  pass(options: { readonly signal: AbortSignal }): Promise<{ readonly fragment: string; readonly expiresAt: number }>
  stop(): void
}

/** Hands out passes, and takes the places of guests who are gone. */
export function createGuests(ports: GuestsPorts): Guests {
  const { mesh, store, clock, log } = ports
  const startedAt = clock.now()
  let turn: Promise<unknown> = Promise.resolve()

  const isOwner = (): boolean => mesh.people().some(({ own, role }) => own && role === 'owner')
  // of all that is invited on a helper only passes are confirmed by pictures: its other links are in advance
  const passes = (): readonly InvitationLine[] =>
    mesh
      .invitations()
      .filter((one) => one.madeBy === mesh.self && one.role === 'guest' && one.confirmation === 'pictures')
  const areLetIn = (): boolean => ports.areWanted() && isOwner()

  /** Those that were made here, also before a restart; their secrets are known to whoever asked. */
  const readPasses = async (signal: AbortSignal): Promise<readonly Pass[]> => {
    const bytes = await getWhole(store, PASSES_KEY, log, { signal })
    try {
      return z.array(Pass).parse(JSON.parse(new TextDecoder().decode(bytes ?? new TextEncoder().encode('[]'))))
    } catch (error) {
      log.warn('The passes of guests could not be read; new ones are made.', { error })
      return []
    }
  }
  /** Open, and nobody waits by it. */
  const isFree = ({ invitation, expiresAt }: Pass): boolean =>
    expiresAt - clock.now() > PASS_LEFT_MS &&
    passes().some(({ id, state }) => id === invitation && state === 'open') &&
    !mesh.pendingJoins().some((one) => one.invitation === invitation)

  const makePass: Guests['pass'] = async ({ signal }) => {
    if (!areLetIn()) throw new MeshError('refused', 'This helper lets no guests in.')
    const given = await readPasses(signal)
    const free = given.find(isFree)
    if (free !== undefined) return { fragment: free.fragment, expiresAt: free.expiresAt }
    if (passes().filter(({ state }) => state === 'open').length >= PASSES_MAX)
      throw new MeshError('busy', 'Several guests are waiting already. Try again in some minutes.')
    const inVain = passes().filter(({ state, createdAt }) => state !== 'used' && clock.now() - createdAt < DAY_MS)
    if (inVain.length >= PASSES_IN_VAIN_MAX)
      throw new MeshError('busy', 'Too many asked today and did not come in. Try again tomorrow.')
    const wanted = { person: GUEST_NAME, role: 'guest', confirmation: 'pictures', lifetimeMs: DAY_MS, signal } as const
    const { id, fragment, expiresAt } = await mesh.invite(wanted)
    const kept = [...given.filter((one) => one.expiresAt > clock.now()), { invitation: id, fragment, expiresAt }]
    await store.put(PASSES_KEY, new TextEncoder().encode(JSON.stringify(kept)), { signal })
    return { fragment, expiresAt }
  }

  const isGone = ({ role, state, lastSeenAt, admittedAt }: DeviceView): boolean =>
    // whom an owner made more than a guest has come to stay
    role === 'guest' &&
    state !== 'online' &&
    clock.now() - Math.max(lastSeenAt ?? admittedAt, startedAt) >= GUEST_GONE_MS

  const removeGone = async (): Promise<void> => {
    if (!isOwner()) return
    const came = new Set(passes().flatMap(({ usedBy }) => usedBy ?? []))
    for (const device of mesh.devices().filter(({ id }) => came.has(id))) {
      if (!isGone(device)) continue
      await mesh.removePerson(device.personId)
      log.info('A guest who is gone lost its place.', { device: device.id })
    }
  }

  let cancel = (): void => {}
  const look = (): void => {
    removeGone().catch((error: unknown) => {
      log.warn('Guests who are gone could not be removed; it is tried again.', { error })
    })
    cancel = clock.schedule(LOOK_MS, look)
  }
  cancel = clock.schedule(LOOK_MS, look)

  return {
    areLetIn,
    pass(options) {
      // one after the other, so that all who ask at once are counted
      const made = turn.then(() => makePass(options))
      turn = made.catch(() => undefined)
      return made
    },
    stop: () => {
      cancel()
    },
  }
}
