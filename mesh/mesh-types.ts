import type { DeviceId, EventSource, InvitationId, ModelId } from './base/index.ts'
import type { EngineLoad, ModelRecord } from './engine/index.ts'
import type { MeshArchives } from './archive-types.ts'
import type { MeshChats } from './chats-types.ts'
import type { MeshRooms } from './rooms-types.ts'
import type { MeshPeople, PersonRole } from './people-types.ts'
import type { MeshRecovery, RecoverOptions } from './recovery-types.ts'
import type { AskEvent, AskRequest, Path } from './route/index.ts'

/** What kind of thing a device is: it decides icon and words, never rights. */
export type DeviceKind = 'helper' | 'browser'

/** Each word has one meaning: `asleep` said goodbye, `unreachable` did not. */
export type DeviceState = 'online' | 'asleep' | 'unreachable' | 'removed'

/** A device as this one sees it. */
export interface DeviceView {
  readonly id: DeviceId
  readonly name: string
  readonly kind: DeviceKind
  readonly role: PersonRole
  /** Name of the person it belongs to; empty: the person of this very device. */
  readonly person: string
  /** 32 hex digits. */
  readonly personId: string
  readonly state: DeviceState
  readonly path: Path
  /** Round trip over the link in use; null when there is none. */
  readonly rttMs: number | null
  /** ms since 1970; null: never seen by this device. */
  readonly lastSeenAt: number | null
  /** ms since 1970 */
  readonly admittedAt: number
  readonly admittedBy: DeviceId
  /** True: it came back by the recovery words of its person. */
  readonly recovered: boolean
  /** For `unreachable`: what was tried and how it failed, one sentence. */
  readonly trouble?: string | undefined
  readonly models: readonly ModelRecord[]
  readonly load: EngineLoad
  /** True when this device may remove it. */
  readonly removable: boolean
}

/** A model somewhere in the mesh, gathered over devices. */
export interface MeshModel {
  readonly id: ModelId
  readonly sizeBytes: number
  readonly contextTokens: number
  /** ms since 1970, the earliest on any device. */
  readonly addedAt: number
  readonly devices: readonly DeviceId[]
  readonly ready: boolean
}

/** How an invitation is confirmed: by its maker in advance, or by comparing pictures. */
export type Confirmation = 'in-advance' | 'pictures'

/** What one invites to. */
export interface InviteOptions {
  /** Name of another person; absent: another device of one's own. */
  readonly person?: string | undefined
  /** What that person may do; only with `person`. Default `member`. */
  readonly role?: PersonRole | undefined
  readonly confirmation: Confirmation
  /** Default 10 minutes. */
  readonly lifetimeMs?: number | undefined
}

/** An invitation one may hand on. Its link carries the secret: never log it. */
export interface InvitationView {
  readonly id: InvitationId
  /** The fragment (without `#`) that any copy of the page understands. */
  readonly fragment: string
  /** A whole link to the page of the inviting helper, where it serves one. */
  readonly url: string
  /** ms since 1970 */
  readonly expiresAt: number
  readonly confirmation: Confirmation
}

/** What a link says before one agrees to it. Nothing of it is proven yet. */
export interface InvitationPreview {
  readonly inviter: DeviceId
  readonly inviterName: string
  readonly role: PersonRole
  readonly person: string
  /**
   * Where pictures are compared before anything is joined: `nowhere`; `there`, by the
   * inviter; `both`, here too, because there is something to lose or the link came from elsewhere.
   */
  readonly compares: 'nowhere' | 'there' | 'both'
  /** True when another site led to this link. */
  readonly fromElsewhere: boolean
  readonly expiresAt: number
  /** True when this device belongs to the inviter's mesh already: nothing is left to agree to. */
  readonly known: boolean
  readonly atStake: AtStake
}

/** What this device holds before it joins: what would be shared with the person's other devices, or left. */
export interface AtStake {
  readonly chats: number
  readonly rooms: number
  /** Other devices of the mesh that this device would leave; 0 when it is alone. */
  readonly devices: number
}

/**
 * How a link came to this device: a person typed, pasted or scanned it, or opened it from
 * outside of any site; another site led to it; or nobody can say.
 */
export type LinkOpened = 'by-hand' | 'unknown' | 'elsewhere'

/** What is known of a link beside what it says. */
export interface LinkContext {
  /** Default `unknown`. */
  readonly opened?: LinkOpened | undefined
  /** The multiaddr, without a device, of the server on this machine that this page came from; absent: there is none. */
  readonly page?: string | undefined
}

/** How one joins. */
export type JoinOptions = LinkContext & {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: JoinProgress) => void) | undefined
}

/** What a joining device waits for, in order. */
export type JoinPhase = 'finding' | 'connecting' | 'proving' | 'comparing' | 'admitted'

/** Progress of a join. */
export interface JoinProgress {
  readonly phase: JoinPhase
  /** For `comparing`: the pictures that the inviter sees too. */
  readonly pictures?: readonly string[] | undefined
  /** For `comparing`: nothing is joined before `agreeToJoin` was called here too. */
  readonly asks?: boolean | undefined
}

/** A device that proved an invitation and waits for the pictures to be confirmed. */
export interface PendingJoin {
  readonly invitation: InvitationId
  readonly device: DeviceId
  readonly name: string
  readonly kind: DeviceKind
  /** Name of the person it comes as; empty: a further device of one's own. */
  readonly person: string
  /** What that person may do here. */
  readonly role: PersonRole
  readonly pictures: readonly string[]
  readonly path: Path
}

/** A device one can be admitted at, and where it is reached. */
export interface Door {
  readonly device: DeviceId
  /** Multiaddrs, best first. */
  readonly addresses: readonly string[]
}

/** A device that shows words. */
export interface KnockView {
  readonly device: DeviceId
  readonly name: string
  readonly kind: DeviceKind
  readonly path: Path
}

/** What happens in a mesh, for screens and for `/api/v1/events`. */
export type MeshEvent =
  | { readonly type: 'device-changed'; readonly device: DeviceView }
  | { readonly type: 'device-joined'; readonly device: DeviceView }
  | { readonly type: 'device-removed'; readonly id: DeviceId }
  | { readonly type: 'join-pending'; readonly join: PendingJoin }
  | {
      readonly type: 'join-settled'
      readonly invitation: InvitationId
      readonly device: DeviceId
      readonly admitted: boolean
    }
  | { readonly type: 'knocks' }
  | { readonly type: 'membership'; readonly standing: Standing }
  /** People, ledger, invitations, keys or the progress of a removal are others now: read them again. */
  | { readonly type: 'people-changed' }
  | { readonly type: 'ask-started'; readonly request: string; readonly device: DeviceId; readonly model: ModelId }
  | { readonly type: 'tokens'; readonly request: string; readonly device: DeviceId; readonly tokenCount: number }
  | { readonly type: 'ask-ended'; readonly request: string; readonly device: DeviceId; readonly outcome: string }

/** Whether this device belongs to a mesh of others: alone, member, or removed from it. */
export type Standing = 'alone' | 'member' | 'removed'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** One device's whole view of its mesh: the only thing screens, gateway and command line talk to. */
export interface Mesh extends MeshPeople, MeshRecovery, MeshArchives {
  readonly self: DeviceId
  readonly events: EventSource<MeshEvent>
  standing(): Standing
  /** This device first, then by name. Everyone in it is there because admitted, online or not. */
  devices(): readonly DeviceView[]
  /** Models that some reachable device can answer with or is fetching; this device's first. */
  models(): readonly MeshModel[]
  /** Where this device can be reached: multiaddrs with its peer id. */
  addresses(): readonly string[]
  /** @throws MeshError `device-unknown`, `unauthorized`, `offline`, `usage` (empty or over 60 characters). */
  rename(device: DeviceId, name: string, options?: Cancellable): Promise<void>
  /** Cuts the device off everywhere within 2 s, and for good. @throws MeshError `device-unknown`, `unauthorized`, `offline`. */
  remove(device: DeviceId, options?: Cancellable): Promise<void>
  /** @throws MeshError `unauthorized`, `offline` when the device that keeps the list is not reachable. */
  invite(options: InviteOptions & Cancellable): Promise<InvitationView>
  /** What a link or fragment says, and what would come of it here. @throws MeshError `malformed`, `invitation-expired`, of the store. */
  preview(link: string, options?: Cancellable & LinkContext): Promise<InvitationPreview>
  /**
   * Proves the invitation and resolves once admitted: as what the link says, by just this
   * invitation, or not at all. Where there is something to lose it waits for `agreeToJoin` too.
   * @throws MeshError `invitation-expired`, `invitation-used`, `invitation-unknown`, `refused`, `timeout`, `malformed`,
   * `integrity` (whoever answered would make something else of this device than the link says).
   */
  join(link: string, options?: JoinOptions): Promise<DeviceView>
  /**
   * Says whether the pictures shown here by a join that asks are those of the other screen;
   * a no ends the invitation. @throws MeshError `malformed`, `invitation-unknown` (nothing is compared here by it)
   */
  agreeToJoin(link: string, matches: boolean): Promise<void>
  /** Devices that wait for their pictures to be confirmed here. */
  pendingJoins(): readonly PendingJoin[]
  /** Answers a pending join: they match, or they do not. */
  settleJoin(invitation: InvitationId, admit: boolean, options?: Cancellable): Promise<void>
  /**
   * Shows six words and waits at another device of a mesh until somebody there has
   * typed them. Resolves once admitted, as a further device of whoever typed.
   * @throws MeshError `offline`, `busy`, `timeout`, `integrity` (admitted, but by nobody who knew the words)
   */
  knock(
    door: Door,
    options: Cancellable & { readonly onWords: (words: readonly string[]) => void },
  ): Promise<DeviceView>
  /** Devices that show words and wait for somebody of this mesh to type them. */
  knocks(): readonly KnockView[]
  /**
   * The device that shows these words: what a person sees before it is admitted.
   * @throws MeshError `usage` (no words), `invitation-unknown` (nobody shows them), `busy` (too many tries)
   */
  findKnock(words: string, options?: Cancellable): Promise<KnockView>
  /** Admits the device that shows these words. @throws as {@link findKnock}, and `unauthorized`, `removed` */
  admitKnock(words: string, options?: Cancellable): Promise<void>
  /**
   * Makes this device one of the person whose words (or two parts) these are, at any
   * reachable device of the mesh: `place` is its door, or an address or link as text. The
   * mesh this device is in is left, and its rooms come along. Resolves when it is in and
   * holds the keys, with the device that let it in.
   * @throws MeshError `malformed`, `usage`, `conflict` (parts that do not belong together),
   * `recovery-unknown`, `offline`, `busy`, `unauthorized` (that device may let nobody in), `integrity`
   */
  recover(secret: string, place: Door | string, options?: RecoverOptions): Promise<DeviceView>
  /** Asks the best device. Leaving the loop early, or the signal, stops the engine within 200 ms. */
  ask(request: AskRequest, options: { readonly signal: AbortSignal }): AsyncIterable<AskEvent>
  /** This person's own chats with the AI, the same on all their devices. */
  readonly chats: MeshChats
  /** Conversations of people and the AI, on all devices of those who take part. */
  readonly rooms: MeshRooms
  /** Checks every link now: after sleep, on `online`, when a page comes back. */
  wake(): void
  /** Says goodbye and closes. */
  stop(options?: Cancellable): Promise<void>
}
