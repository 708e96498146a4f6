import type { DeviceId, MeshError } from '../../mesh/base/index.ts'
import type {
  DeviceView,
  InvitationView,
  InviteOptions,
  KnockView,
  MeshEvent,
  MeshModel,
  PendingJoin,
  Standing,
} from '../../mesh/mesh-types.ts'
import type { AppPeer, PeerState, SharedMesh } from '../peer/app-peer.ts'

const LISTED: ReadonlySet<MeshEvent['type']> = new Set([
  'device-changed',
  'device-joined',
  'device-removed',
  'join-pending',
  'join-settled',
  'membership',
  'knocks',
])

/** What the mesh looks like from here, kept in step with the peer of this tab. */
export class PeerView {
  readonly #peer: AppPeer
  #state = $state.raw<PeerState>() as PeerState
  #devices = $state.raw<readonly DeviceView[]>([])
  #models = $state.raw<readonly MeshModel[]>([])
  #pending = $state.raw<readonly PendingJoin[]>([])
  #knocks = $state.raw<readonly KnockView[]>([])
  #standing = $state.raw<Standing>('alone')
  #lastSettled = $state.raw<{ readonly device: DeviceId; readonly admitted: boolean } | undefined>()

  constructor(peer: AppPeer) {
    this.#peer = peer
    this.#state = peer.state()
    this.#read(this.#state.mesh)
  }

  /** Follows the peer until the returned function is called. */
  listen(): () => void {
    let mesh: SharedMesh | undefined
    let endMesh: (() => void) | undefined
    const follow = (): void => {
      this.#state = this.#peer.state()
      if (this.#state.mesh === mesh) return
      endMesh?.()
      mesh = this.#state.mesh
      this.#read(mesh)
      endMesh = mesh?.events.subscribe((event) => {
        if (event.type === 'join-settled') this.#lastSettled = { device: event.device, admitted: event.admitted }
        if (LISTED.has(event.type)) this.#read(mesh)
      })
    }
    follow()
    const endPeer = this.#peer.changes.subscribe(follow)
    return () => {
      endPeer()
      endMesh?.()
    }
  }

  #read(mesh: SharedMesh | undefined): void {
    this.#devices = mesh?.devices() ?? []
    this.#models = mesh?.models() ?? []
    this.#pending = mesh?.pendingJoins() ?? []
    this.#knocks = mesh?.knocks() ?? []
    this.#standing = mesh?.standing() ?? 'alone'
  }

  get state(): PeerState {
    return this.#state
  }
  /** This device first. Empty until the peer runs. */
  get devices(): readonly DeviceView[] {
    return this.#devices
  }
  get models(): readonly MeshModel[] {
    return this.#models
  }
  get pendingJoins(): readonly PendingJoin[] {
    return this.#pending
  }
  /** Devices that show words and wait for them to be typed in this mesh. */
  get knocks(): readonly KnockView[] {
    return this.#knocks
  }
  get standing(): Standing {
    return this.#standing
  }
  /** The last join that was answered while this page was open. */
  get lastSettled(): { readonly device: DeviceId; readonly admitted: boolean } | undefined {
    return this.#lastSettled
  }
  get self(): DeviceView | undefined {
    return this.#devices[0]
  }
  device(id: DeviceId | undefined): DeviceView | undefined {
    return id === undefined ? undefined : this.#devices.find((device) => device.id === id)
  }

  // acts: each is the peer's own, so that screens never hold a mesh
  takeOver(): Promise<void> {
    return this.#peer.takeOver()
  }
  /** A link that the person pasted, scanned or asked for. */
  offer(link: string): void {
    this.#peer.offer(link, 'by-hand')
  }
  agree(matches: boolean): Promise<void> {
    return this.#peer.agree(matches)
  }
  accept(): Promise<void> {
    return this.#peer.accept()
  }
  dismiss(): void {
    this.#peer.dismiss()
  }
  retry(): void {
    this.#peer.retry()
  }
  get problem(): MeshError | undefined {
    return this.#state.problem
  }
  async rename(device: DeviceId, name: string): Promise<void> {
    await this.#state.mesh?.rename(device, name)
    this.#read(this.#state.mesh)
  }
  async remove(device: DeviceId): Promise<void> {
    await this.#state.mesh?.remove(device)
    this.#read(this.#state.mesh)
  }
  async invite(options: InviteOptions & { readonly signal?: AbortSignal }): Promise<InvitationView | undefined> {
    return this.#state.mesh?.invite(options)
  }
  async findKnock(words: string): Promise<KnockView | undefined> {
    return this.#state.mesh?.findKnock(words)
  }
  async admitKnock(words: string): Promise<void> {
    await this.#state.mesh?.admitKnock(words)
    this.#read(this.#state.mesh)
  }
  async settleJoin(join: PendingJoin, admit: boolean): Promise<void> {
    await this.#state.mesh?.settleJoin(join.invitation, admit)
    this.#read(this.#state.mesh)
  }
}
