import { asMeshError, MeshError, type DeviceId, type InvitationId } from '../../mesh/base/index.ts'
import type { MeshEvent } from '../../mesh/mesh-types.ts'
import type {
  InvitationLine,
  KeyLine,
  LedgerCheck,
  LedgerLine,
  MeshPeople,
  PersonRole,
  PersonView,
  RemovalProgress,
} from '../../mesh/people-types.ts'
import type { RecoveryDraft, RecoveryView } from '../../mesh/recovery-types.ts'
import type { AppPeer, SharedMesh } from '../peer/app-peer.ts'

const TOLD: ReadonlySet<MeshEvent['type']> = new Set([
  'people-changed',
  'device-joined',
  'device-removed',
  'join-settled',
  'membership',
])

/** People, ledger, invitations and keys as screens read them: each is read when somebody looks, and again after a change. */
export class PeopleView {
  readonly #peer: AppPeer
  #mesh = $state.raw<SharedMesh | undefined>()
  // counts changes: what was read of the mesh is read again after one
  #change = $state(0)
  #check = $state.raw<LedgerCheck | undefined>()
  #checking = $state(false)

  readonly #people = $derived.by(() => this.#read((mesh) => mesh.people()))
  readonly #ledger = $derived.by(() => this.#read((mesh) => mesh.ledger()))
  readonly #invitations = $derived.by(() => this.#read((mesh) => mesh.invitations()))
  readonly #keys = $derived.by(() => this.#read((mesh) => mesh.keys()))
  readonly #recovery = $derived.by(() => {
    void this.#change
    return this.#mesh?.recovery() ?? undefined
  })
  readonly #removals = $derived.by(() => this.#read((mesh) => mesh.removals()))
  readonly #owners = $derived(
    new Map(this.#people.flatMap((person) => person.devices.map((device) => [device, person] as const))),
  )

  constructor(peer: AppPeer) {
    this.#peer = peer
    this.#mesh = peer.state().mesh
  }

  /** Follows the peer until the returned function is called. */
  listen(): () => void {
    let endMesh: (() => void) | undefined
    let followed: SharedMesh | undefined
    const follow = (): void => {
      const { mesh } = this.#peer.state()
      if (mesh === followed) return
      followed = mesh
      endMesh?.()
      this.#mesh = mesh
      this.#check = undefined
      endMesh = mesh?.events.subscribe((event) => {
        if (TOLD.has(event.type)) this.#change += 1
      })
    }
    follow()
    const endPeer = this.#peer.changes.subscribe(follow)
    return () => {
      endPeer()
      endMesh?.()
    }
  }

  #read<Item>(from: (mesh: MeshPeople) => readonly Item[]): readonly Item[] {
    void this.#change
    return this.#mesh === undefined ? [] : from(this.#mesh)
  }

  /** Own person first. Empty in a tab that does not hold the peer. */
  get people(): readonly PersonView[] {
    return this.#people
  }
  /** In the common order, oldest first. */
  get ledger(): readonly LedgerLine[] {
    return this.#ledger
  }
  get invitations(): readonly InvitationLine[] {
    return this.#invitations
  }
  get keys(): readonly KeyLine[] {
    return this.#keys
  }
  get removals(): readonly RemovalProgress[] {
    return this.#removals
  }
  /** Of this person; undefined: there are none. */
  get recovery(): RecoveryView | undefined {
    return this.#recovery
  }
  get own(): PersonView | undefined {
    return this.#people.find((person) => person.own)
  }
  person(id: string | undefined): PersonView | undefined {
    return id === undefined ? undefined : this.#people.find((person) => person.id === id)
  }
  /** Whose device it is; nothing for one that does not belong now. */
  ownerOf(device: DeviceId): PersonView | undefined {
    return this.#owners.get(device)
  }
  removal(device: DeviceId | undefined): RemovalProgress | undefined {
    return device === undefined ? undefined : this.#removals.find((removal) => removal.device === device)
  }
  /** The mesh key's generation; 0 while there is none. */
  get epoch(): number {
    return this.#keys.find((key) => key.scope === 'mesh')?.generation ?? 0
  }

  /** What the last check of the whole ledger found; nothing before the first. */
  get check(): LedgerCheck | undefined {
    return this.#check
  }
  get checking(): boolean {
    return this.#checking
  }
  /** Checks every entry again. A check that cannot be done is a fault of its own: what was not checked is not verified. */
  async verify(): Promise<void> {
    const mesh = this.#mesh
    if (mesh === undefined || this.#checking) return
    this.#checking = true
    try {
      const check = await mesh.verifyLedger()
      if (mesh === this.#mesh) this.#check = check
    } catch (error) {
      const { message } = asMeshError(error)
      if (mesh === this.#mesh) this.#check = { entries: 0, signatures: 0, checkedAt: Date.now(), faults: [message] }
    } finally {
      this.#checking = false
    }
  }

  // acts: each is the mesh's own
  async draftRecovery(): Promise<RecoveryDraft> {
    if (this.#mesh === undefined) throw new MeshError('offline', 'The connection of this browser is not up yet.')
    return this.#mesh.draftRecovery()
  }
  async keepRecovery(words: string): Promise<void> {
    await this.#mesh?.keepRecovery(words)
    this.#change += 1
  }
  async removeRecovery(): Promise<void> {
    await this.#mesh?.removeRecovery()
    this.#change += 1
  }
  async setRole(person: string, role: PersonRole): Promise<void> {
    await this.#mesh?.setRole(person, role)
    this.#change += 1
  }
  async renamePerson(person: string, name: string): Promise<void> {
    await this.#mesh?.renamePerson(person, name)
    this.#change += 1
  }
  async removePerson(person: string): Promise<void> {
    await this.#mesh?.removePerson(person)
    this.#change += 1
  }
  async revokeInvitation(id: InvitationId): Promise<void> {
    await this.#mesh?.revokeInvitation(id)
    this.#change += 1
  }
}
